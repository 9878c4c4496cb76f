import Glibc
import SystemPackage

extension MemoryKind {
  /// A page of hugetlbfs, private.
  public static let hugetlb = MemoryKind(
    "hugetlb", "private huge pages of the hugetlb pool",
    needs: [.hugetlb, .pageFrames], settings: [.more(HugetlbMemory.pool, by: HugetlbMemory.pages)],
    traits: [.private], maximumDepth: HugetlbMemory.depth, c: HugetlbMemory.c
  ) { pieces, length throws(KernelError) in try HugetlbMemory(pieces: pieces, pieceLength: length) }
}

extension Need {
  /// A kernel with hugetlbfs, whose pool may be changed.
  static let hugetlb = Need("the hugetlb pool") {
    guard KernelFile.exists(HugetlbMemory.pool) else {
      return "the kernel has no hugetlb: build it with CONFIG_HUGETLBFS=y"
    }
    return access(HugetlbMemory.pool, W_OK) == 0 ? nil : "\(HugetlbMemory.pool) is not writable: run as root"
  }
}

/// `mmap(MAP_HUGETLB | MAP_PRIVATE)` memory, from pages that the suite adds to the pool and takes out again.
final class HugetlbMemory: MappedMemory, Memory, @unchecked Sendable {
  static let pool = "/proc/sys/vm/nr_hugepages"
  static let depth = 8
  /// For each page under I/O: itself, the child's copy or a replacement, and a spare one. A fault
  /// without a free page would take the child's.
  static let pages = 3 * depth

  init(pieces: Int, pieceLength: Int) throws(KernelError) {
    try super.init(
      pieces: pieces, pieceLength: pieceLength, unit: try Self.hugePageSize(),
      flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB)
  }

  /// The default size of /proc/meminfo.
  private static func hugePageSize() throws(KernelError) -> Int {
    let text = try KernelFile.read("/proc/meminfo")
    for line in text.split(separator: "\n") where line.hasPrefix("Hugepagesize:") {
      let words = line.split(separator: " ")
      if words.count >= 2, let kilobytes = Int(words[1]) { return kilobytes << 10 }
    }
    throw KernelError("read Hugepagesize in /proc/meminfo", .noSuchFileOrDirectory)
  }

  func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) -> Proof {
    guard let flags else { return .missed("the page's flags are hidden") }
    return flags.isHugetlb ? .reached("pages of the hugetlb pool") : .missed("no page of the hugetlb pool")
  }

  /// mremap(2) moves hugetlb mappings since 5.16 only.
  func replace(_ address: UnsafeMutableRawPointer) throws(KernelError) { try remap(address) }

  static let c = CMemory(
    mapSize: """
      FILE *file = fopen("/proc/meminfo", "r");
      size_t kib = 0;
      char text[256];

      while (file && fgets(text, sizeof(text), file))
        sscanf(text, "Hugepagesize: %zu kB", &kib);
      if (!kib)
        END(SKIPPED, "no hugetlb pages here: needs CONFIG_HUGETLBFS");
      return kib * 1024;
      """,
    renew: """
      if (mmap(buf, map_size, PROT_READ | PROT_WRITE,
          MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0) == MAP_FAILED)
        END(SKIPPED, "no free huge page: %m; raise /proc/sys/vm/nr_hugepages");
      """,
    prove: CMemory.prove("flags_of(buf) >> 17 & 1 /* KPF_HUGE */", "no hugetlb page"))
}
