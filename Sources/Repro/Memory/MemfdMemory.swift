import CKernel
import Glibc

extension MemoryKind {
  /// Shared memory of an anonymous file.
  public static let memfd = MemoryKind(
    "memfd", "shared memory of an anonymous file (memfd_create)", needs: [.pageMap], traits: [.divisible],
    maximumDepth: 256,
    c: MemfdMemory.c
  ) { pieces, length throws(KernelError) in try MemfdMemory(pieces: pieces, pieceLength: length) }
}

extension MemoryKind {
  /// The same, mapped anew since it was filled.
  public static let memfdRead = MemoryKind(
    "memfd-read", "shared memory of an anonymous file that this mapping only read", needs: [.pageMap],
    traits: [.divisible], maximumDepth: 256, isState: true, c: MemfdMemory.c(then: "MAP_SHARED")
  ) { pieces, length throws(KernelError) in
    try MemfdMemory(pieces: pieces, pieceLength: length, then: MAP_SHARED)
  }

  /// A private mapping of it: the I/O's fault copies the file's page.
  public static let memfdPrivate = MemoryKind(
    "memfd-private", "a private mapping of an anonymous file that was only read: pages of the file",
    needs: [.pageMap], traits: [.private, .swappable, .divisible], catalogued: ["anon"], maximumDepth: 256,
    isState: true, c: MemfdMemory.c(then: "MAP_PRIVATE")
  ) { pieces, length throws(KernelError) in
    try MemfdMemory(pieces: pieces, pieceLength: length, then: MAP_PRIVATE)
  }
}

/// `mmap(MAP_SHARED)` of a memfd: shmem pages, which no store copies.
final class MemfdMemory: MappedMemory, Memory, @unchecked Sendable {
  private let file: CInt
  /// How the file is mapped once it is filled, to be read from; nil if it stays mapped as it was.
  private let later: CInt?

  init(pieces: Int, pieceLength: Int, then later: CInt? = nil) throws(KernelError) {
    self.later = later
    file = try check(ck_memfd("repro"), "memfd_create")
    try super.init(pieces: pieces, pieceLength: pieceLength, unit: kernelPageSize, flags: MAP_SHARED)
  }

  deinit { close(file) }

  override func map(_ start: UnsafeMutableRawPointer, _ length: Int) throws(KernelError) {
    try AddressRange.map(start, length, MAP_SHARED, file, offset: start - base)
  }

  override func renew() throws(KernelError) {
    // Cut and grown again: all its pages are gone.
    if ftruncate(file, 0) != 0 || ftruncate(file, off_t(length)) != 0 { throw .last("ftruncate the memfd") }
    try map(base, length)
  }

  var comesBackFilled: Bool { later == MAP_PRIVATE }

  func enter(_ pages: PagesUnderIO) throws(KernelError) {
    guard let later else { return }
    try AddressRange.map(base, length, later, file)
    for address in pages.addresses { _ = ck_load8(address) }
  }

  func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) -> Proof {
    entries.allSatisfy { $0.isPresent && $0.isFileOrShared } && flags?.isAnonymous != true
      ? .reached("pages of shared memory") : .missed("no page of shared memory is mapped")
  }

  /// Another file's page over it.
  func replace(_ address: UnsafeMutableRawPointer) throws(KernelError) {
    try replaceByMemfd(address, later ?? MAP_SHARED)
  }

  static let c = CMemory(
    globals: """
      static int memfd = -1; /* whose pages are at buf */

      static void map_memfd(int flags)
      {
        if (mmap(buf, map_size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, memfd, 0) == MAP_FAILED)
          END(ERROR, "mmap: %m");
      }
      """,
    renew: """
      close(memfd);
      memfd = memfd_create("buf", MFD_CLOEXEC);
      if (memfd < 0 || ftruncate(memfd, map_size) < 0)
        END(SKIPPED, "memfd_create: %m; build the kernel with CONFIG_MEMFD_CREATE");
      map_memfd(MAP_SHARED);
      """)

  /// The same, mapped anew once it is filled.
  static func c(then flags: String) -> CMemory {
    var memory = c
    memory.enter = """
      map_memfd(\(flags));
      (void)*(volatile unsigned char *)buf;
      """
    memory.prove = """
      if (!(pagemap(buf) >> 61 & 1))
        END(SKIPPED, "no page of the file is mapped, says /proc/self/pagemap");
      """
    return memory
  }
}
