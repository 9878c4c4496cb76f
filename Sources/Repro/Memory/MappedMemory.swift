import CKernel
import Glibc

/// What kinds of memory share: pieces of one range, each of whole pages of the kind, mapped with the same
/// flags. Renewing maps anew, since MADV_DONTNEED leaves page tables in which no huge page fits.
class MappedMemory: @unchecked Sendable {  // immutable but for what is mapped
  private let range: AddressRange
  private let flags: CInt
  /// Bytes of a page of the kind.
  let unit: Int
  /// From one piece's start to the next one's, in bytes.
  let stride: Int

  var base: UnsafeMutableRawPointer { range.base }
  var length: Int { range.length }

  /// - Parameters:
  ///   - unit: bytes of a page of the kind.
  ///   - flags: of mmap(2), without MAP_FIXED.
  init(pieces: Int, pieceLength: Int, unit: Int, flags: CInt) throws(KernelError) {
    self.unit = unit
    self.flags = flags
    stride = (pieceLength + unit - 1) / unit * unit
    range = try AddressRange(length: pieces * stride, alignment: unit)
  }

  /// Maps fresh memory of the kind over what is there.
  func map(_ start: UnsafeMutableRawPointer, _ length: Int) throws(KernelError) {
    try AddressRange.map(start, length, flags)
  }

  func renew() throws(KernelError) { try map(base, length) }

  /// Puts a fresh page of the kind over the one at `address`, with the same bytes: for kinds that mremap(2)
  /// can't move, or not on every kernel.
  func remap(_ address: UnsafeMutableRawPointer) throws(KernelError) {
    let start = base + (address - base) / unit * unit
    let aside = UnsafeMutableRawPointer.allocate(byteCount: unit, alignment: kernelPageSize)
    defer { aside.deallocate() }
    memcpy(aside, start, unit)
    try map(start, unit)
    memcpy(start, aside, unit)
  }

  /// Maps a page of a new memfd over the one at `address`, with the same bytes.
  /// - Parameter flags: of mmap(2), without MAP_FIXED.
  func replaceByMemfd(_ address: UnsafeMutableRawPointer, _ flags: CInt) throws(KernelError) {
    let other = try check(ck_memfd("repro-replacement"), "memfd_create")
    defer { close(other) }
    let count = pwrite(other, address, kernelPageSize, 0)
    if count != kernelPageSize { throw .last("write the memfd") }
    try AddressRange.map(address, kernelPageSize, flags, other)
  }
}
