import CKernel
import Glibc
import SystemPackage

/// One entry of /proc/self/pagemap (Documentation/admin-guide/mm/pagemap.rst).
struct PageMapEntry: Sendable, Equatable {
  let raw: UInt64

  var isPresent: Bool { raw >> 63 & 1 == 1 }
  var isSwapped: Bool { raw >> 62 & 1 == 1 }
  var isSoftDirty: Bool { raw >> 55 & 1 == 1 }
  /// The physical frame, 0 without CAP_SYS_ADMIN, nil when nothing is mapped.
  var frame: UInt64? { isPresent ? raw & (1 << 55 - 1) : nil }
}

/// What stands behind an address of this process, asked of the kernel.
struct PageMap: ~Copyable, Sendable {
  private let descriptor: FileDescriptor
  private let pageSize: Int

  init(pageSize: Int) throws(KernelError) {
    self.pageSize = pageSize
    descriptor = try attempt("open /proc/self/pagemap") {
      try FileDescriptor.open("/proc/self/pagemap", .readOnly, options: .closeOnExec)
    }
  }

  deinit { try? descriptor.close() }

  func entry(of address: UnsafeRawPointer) throws(KernelError) -> PageMapEntry {
    var raw: UInt64 = 0
    let offset = Int(UInt(bitPattern: address) / UInt(pageSize)) * 8
    let read = pread(descriptor.rawValue, &raw, 8, offset)
    if read != 8 { throw .last("read /proc/self/pagemap") }
    return PageMapEntry(raw: raw)
  }

  /// The physical frame behind `address`; nil when hidden (needs CAP_SYS_ADMIN) or not mapped.
  func frame(of address: UnsafeRawPointer) -> UInt64? {
    guard let frame = try? entry(of: address).frame, frame != 0 else { return nil }
    return frame
  }
}
