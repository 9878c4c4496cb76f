import Glibc

/// What the two kinds of huge memory share: each piece is one huge page, and renewing maps anew, since
/// MADV_DONTNEED leaves page tables in which no huge page fits again.
class HugeMemory: @unchecked Sendable {  // immutable but for what is mapped
  private let range: AddressRange
  private let flags: CInt
  /// Bytes of a huge page.
  let stride: Int

  var base: UnsafeMutableRawPointer { range.base }
  var length: Int { range.length }

  /// - Parameter flags: of mmap(2), without MAP_FIXED.
  init(pieces: Int, pieceLength: Int, hugePage: Int, flags: CInt) throws(KernelError) {
    stride = (pieceLength + hugePage - 1) / hugePage * hugePage
    self.flags = flags
    range = try AddressRange(length: pieces * stride, alignment: hugePage)
  }

  func renew() throws(KernelError) { try AddressRange.map(base, length, flags) }
}
