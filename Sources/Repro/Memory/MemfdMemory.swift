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
    traits: [.divisible], maximumDepth: 256
  ) { pieces, length throws(KernelError) in
    try MemfdMemory(pieces: pieces, pieceLength: length, then: MAP_SHARED)
  }

  /// A private mapping of it: the I/O's fault copies the file's page.
  public static let memfdPrivate = MemoryKind(
    "memfd-private", "a private mapping of an anonymous file that was only read: pages of the file",
    needs: [.pageMap], traits: [.private, .swappable, .divisible], catalogued: ["anon"], maximumDepth: 256
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
    renew: """
      int fd = memfd_create("buf", MFD_CLOEXEC);

      if (fd < 0 || ftruncate(fd, map_size) < 0)
        END(SKIPPED, "memfd_create: %m; build the kernel with CONFIG_MEMFD_CREATE");
      if (mmap(buf, map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
          fd, 0) == MAP_FAILED)
        END(ERROR, "mmap: %m");
      close(fd);
      """)
}
