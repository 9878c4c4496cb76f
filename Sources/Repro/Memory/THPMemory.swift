import Glibc
import SystemPackage

extension MemoryKind {
  /// A transparent huge page, mapped by one PMD.
  public static let thp = MemoryKind(
    "thp", "transparent huge pages, each mapped by one PMD",
    needs: [.transparentHugePages, .pageFrames],
    settings: [.file(THPMemory.enabled, "madvise", accepted: ["always"], .skip)],
    traits: [.private, .swappable, .divisible, .anonymous, .huge], maximumDepth: 64, c: THPMemory.c
  ) { pieces, length throws(KernelError) in try THPMemory(pieces: pieces, pieceLength: length) }
}

extension Need {
  /// A kernel with THP.
  static let transparentHugePages = Need("transparent huge pages") {
    KernelFile.number(THPMemory.sizeFile) != nil
      ? nil : "the kernel has no THP: build it with CONFIG_TRANSPARENT_HUGEPAGE=y"
  }
}

extension MemoryKind {
  /// A transparent huge page, mapped by page tables.
  public static let thpPieces = MemoryKind(
    "thp-pte", "transparent huge pages, mapped by page tables", needs: [.transparentHugePages, .pageFrames],
    settings: [.file(THPMemory.enabled, "madvise", accepted: ["always"], .skip)],
    traits: [.private, .swappable, .divisible, .anonymous], maximumDepth: 64, isState: true,
    c: THPMemory.cSplit
  ) { pieces, length throws(KernelError) in
    try THPMemory(pieces: pieces, pieceLength: length, isSplit: true)
  }
}

/// `madvise(MADV_HUGEPAGE)` memory, PMD-aligned. The I/O takes base pages of it; a copy-on-write splits
/// the PMD first (mm/huge_memory.c, do_huge_pmd_wp_page).
final class THPMemory: MappedMemory, Memory, @unchecked Sendable {
  static let enabled = "/sys/kernel/mm/transparent_hugepage/enabled"
  static let sizeFile = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"

  private let isSplit: Bool

  /// - Parameter isSplit: whether page tables are to map the pages, and no PMD.
  init(pieces: Int, pieceLength: Int, isSplit: Bool = false) throws(KernelError) {
    self.isSplit = isSplit
    guard let size = KernelFile.number(Self.sizeFile) else {
      throw KernelError("read \(Self.sizeFile)", .noSuchFileOrDirectory)
    }
    try super.init(
      pieces: pieces, pieceLength: pieceLength, unit: size, flags: MAP_PRIVATE | MAP_ANONYMOUS)
  }

  override func map(_ start: UnsafeMutableRawPointer, _ length: Int) throws(KernelError) {
    try super.map(start, length)
    try advise(MADV_HUGEPAGE, "MADV_HUGEPAGE", start, length)
  }

  /// Protecting a neighbour takes an entry of its own for each base page; the huge page stays one.
  func enter(_ pages: PagesUnderIO) throws(KernelError) {
    if !isSplit { return }
    for address in pages.addresses where mprotect(address + pages.size, pages.size, PROT_READ) != 0 {
      throw .last("mprotect a page beside")
    }
  }

  /// kpageflags tells a huge page from base pages, and smaps whether PMDs map it: a huge page that is
  /// mapped by page tables has the same flags.
  func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) throws(KernelError) -> Proof {
    guard let flags else { return .missed("the page's flags are hidden") }
    guard flags.isTransparentHuge else { return .missed("the kernel gave base pages and no huge one") }
    let bytes = try AddressMap.bytes(mappedByPMD: base, length)
    if isSplit {
      return bytes == 0
        ? .reached("transparent huge pages, mapped by page tables") : .missed("PMDs map \(bytes) bytes")
    }
    guard bytes >= length else { return .missed("PMDs map \(bytes) of \(length) bytes") }
    return .reached("transparent huge pages, mapped by PMDs")
  }

  /// A base page is enough: it splits the PMD, as user space may.
  func replace(_ address: UnsafeMutableRawPointer) throws(KernelError) {
    try AnonMemory.moveCopy(over: address)
  }

  static let c = CMemory(
    globals: """
      /* Whether one entry of a page table (a PMD) maps all there is at buf. */
      static bool is_huge(void)
      {
        FILE *file = fopen("/proc/self/smaps", "r");
        unsigned long start, end, found = 0, kib = 0;
        char text[512];

        while (file && fgets(text, sizeof(text), file))
          if (sscanf(text, "%lx-%lx", &start, &end) == 2)
            found = start;
          else if (found == (unsigned long)buf)
            sscanf(text, "AnonHugePages: %lu", &kib);
        if (file)
          fclose(file);
        return kib * 1024 == map_size;
      }
      """,
    mapSize: """
      FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "r");

      if (!file || fscanf(file, "%zu", &map_size) != 1)
        END(SKIPPED, "no huge pages here: needs CONFIG_TRANSPARENT_HUGEPAGE");
      return map_size;
      """,
    renew: CMemory.mapAnonymous + """

      madvise(buf, map_size, MADV_HUGEPAGE);
      """,
    prove: """
      if (!is_huge())
        END(SKIPPED, "no huge page: free memory, or enable transparent_hugepage (madvise)");
      """)

  /// The same, mapped by page tables.
  static let cSplit: CMemory = {
    var memory = c
    memory.enter = """
      if (mprotect(buf + page_size, page_size, PROT_READ) < 0) /* takes entries of base pages */
        END(ERROR, "mprotect the page beside: %m");
      """
    memory.globals = ""
    memory.prove = CMemory.prove("flags_of(buf) >> 22 & 1 /* KPF_THP */", "no huge page")
    return memory
  }()
}
