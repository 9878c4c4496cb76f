import CKernel
import Glibc
import SystemPackage

extension MemoryKind {
  /// Private anonymous memory in base pages.
  public static let anon = MemoryKind(
    "anon", "private anonymous memory in base pages, never huge",
    needs: [.pageMap], traits: [.private, .swappable, .divisible, .mergeable, .anonymous], maximumDepth: 256,
    c: AnonMemory.c
  ) { pieces, length throws(KernelError) in try AnonMemory(pieces: pieces, pieceLength: length) }
}

/// `mmap(MAP_PRIVATE | MAP_ANONYMOUS)` without huge pages: what malloc gives.
class AnonMemory: MappedMemory, Memory, @unchecked Sendable {
  init(pieces: Int, pieceLength: Int) throws(KernelError) {
    try super.init(
      pieces: pieces, pieceLength: pieceLength, unit: kernelPageSize, flags: MAP_PRIVATE | MAP_ANONYMOUS)
  }

  /// - Parameter unit: bytes of which each piece takes a multiple, at such an address.
  init(pieces: Int, pieceLength: Int, unit: Int) throws(KernelError) {
    try super.init(
      pieces: pieces, pieceLength: pieceLength, unit: unit, flags: MAP_PRIVATE | MAP_ANONYMOUS)
  }

  var isFilled: Bool { true }
  var isZero: Bool { false }
  var sharer: Int32? { nil }
  var forks: Bool { false }
  func enter(_ pages: PagesUnderIO) throws(KernelError) {}
  func leave() {}

  override func map(_ start: UnsafeMutableRawPointer, _ length: Int) throws(KernelError) {
    try super.map(start, length)
    // A kernel without THP refuses; then nothing needs to be turned off.
    _ = madvise(start, length, MADV_NOHUGEPAGE)
  }

  func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) -> Proof {
    guard entries.allSatisfy({ $0.isPresent && !$0.isFileOrShared }) else {
      return .missed("no anonymous page is mapped")
    }
    guard entries.allSatisfy(\.isExclusive) else { return .missed("somebody else maps the page too") }
    if let flags, !flags.isAnonymous || flags.isTransparentHuge || flags.isHugetlb {
      return .missed("kpageflags say that it is no anonymous base page")
    }
    return .reached("anonymous base pages, mapped here alone")
  }

  /// The way of a buggy kernel, a page at a time: a copy is moved over it.
  func replace(_ address: UnsafeMutableRawPointer) throws(KernelError) {
    try Self.moveCopy(over: address)
  }

  static func moveCopy(over address: UnsafeMutableRawPointer) throws(KernelError) {
    var copy: UnsafeMutableRawPointer?
    try check(ck_map(kernelPageSize, 0, &copy), "mmap the new page")
    guard let copy else { throw KernelError("mmap the new page", .noMemory) }
    memcpy(copy, address, kernelPageSize)
    try check(ck_remap_over(copy, kernelPageSize, address), "mremap over the page")
  }

  static let c = CMemory.anon()
}

extension CMemory {
  /// Private anonymous base pages, in a state.
  static func anon(
    includes: [String] = [], uses: [String] = [], globals: String = "", setUp: String = "",
    fill: String = "0xf1", store: String = "memset(buf, FILL, page_size);", enter: String = "",
    prove: String = ""
  ) -> CMemory {
    CMemory(
      includes: includes, uses: uses, globals: globals, setUp: setUp,
      renew: mapAnonymous + """

        madvise(buf, map_size, MADV_NOHUGEPAGE);
        """, fill: fill, store: store, enter: enter, prove: prove)
  }
}
