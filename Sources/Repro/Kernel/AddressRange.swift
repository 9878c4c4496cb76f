import Glibc
import SystemPackage

/// Addresses that are reserved, with nothing behind them until somebody maps there.
final class AddressRange: @unchecked Sendable {  // an address range; who writes where is the trial's business
  /// Aligned as asked for.
  let base: UnsafeMutableRawPointer
  /// Bytes.
  let length: Int

  private static let hints = 64
  private static let hintStep = 16 << 20

  private let reserved: UnsafeMutableRawPointer
  private let reservedLength: Int

  /// Reserves `length` bytes that begin at a multiple of `alignment`.
  /// - Parameter floor: where it is to lie above, if there is room.
  init(
    length: Int, alignment: Int = kernelPageSize, above floor: UnsafeMutableRawPointer? = nil
  ) throws(KernelError) {
    self.length = length
    reservedLength = length + alignment - kernelPageSize
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    var hint = floor
    var found = mmap(hint, reservedLength, PROT_NONE, flags, -1, 0)
    // The kernel follows a hint where nothing is mapped yet.
    for _ in 0..<Self.hints {
      guard let floor, let low = found, found != MAP_FAILED, low < floor else { break }
      munmap(low, reservedLength)
      hint = hint.map { $0 + Self.hintStep }
      found = mmap(hint, reservedLength, PROT_NONE, flags, -1, 0)
    }
    guard let at = found, at != MAP_FAILED else { throw .last("reserve \(reservedLength) bytes") }
    reserved = at
    let address = (UInt(bitPattern: at) + UInt(alignment) - 1) / UInt(alignment) * UInt(alignment)
    base = UnsafeMutableRawPointer(bitPattern: address) ?? at
  }

  deinit { munmap(reserved, reservedLength) }

  /// Maps new memory over `length` bytes from `start`, in place of whatever is there, page tables included.
  /// - Parameter flags: of mmap(2), without MAP_FIXED.
  static func map(
    _ start: UnsafeMutableRawPointer, _ length: Int, _ flags: CInt, _ descriptor: CInt = -1, offset: Int = 0
  ) throws(KernelError) {
    let at = mmap(start, length, PROT_READ | PROT_WRITE, flags | MAP_FIXED, descriptor, off_t(offset))
    if at == MAP_FAILED { throw .last("mmap \(length) bytes") }
  }
}

/// madvise(2), which throws.
func advise(
  _ advice: CInt, _ name: String, _ start: UnsafeMutableRawPointer, _ length: Int
) throws(KernelError) {
  if madvise(start, length, advice) != 0 { throw .last("madvise \(name)") }
}

/// The page size of the running kernel, in bytes.
public let kernelPageSize = Int(sysconf(CInt(_SC_PAGESIZE)))
