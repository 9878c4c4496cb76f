import CKernel
import Glibc
import SystemPackage

/// One entry of /proc/self/pagemap (Documentation/admin-guide/mm/pagemap.rst).
struct PageMapEntry: Sendable, Equatable {
  let raw: UInt64

  var isPresent: Bool { raw >> 63 & 1 == 1 }
  var isSwapped: Bool { raw >> 62 & 1 == 1 }
  /// A page of a file, or shared anonymous memory.
  var isFileOrShared: Bool { raw >> 61 & 1 == 1 }
  /// Mapped here and nowhere else.
  var isExclusive: Bool { raw >> 56 & 1 == 1 }
  var isSoftDirty: Bool { raw >> 55 & 1 == 1 }
  /// The physical frame; nil without CAP_SYS_ADMIN, which hides it, or when nothing is mapped.
  var frame: UInt64? {
    let frame = raw & (1 << 55 - 1)
    return isPresent && frame != 0 ? frame : nil
  }
}

/// What stands behind addresses of a process, asked of the kernel.
final class PageMap: Sendable {
  private let descriptor: FileDescriptor

  /// - Parameter process: whose; nil for this process.
  init(of process: Int32? = nil) throws(KernelError) {
    let path = "/proc/\(process.map(String.init) ?? "self")/pagemap"
    descriptor = try attempt("open \(path)") {
      try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
    }
  }

  deinit { try? descriptor.close() }

  func entry(of address: UnsafeRawPointer) throws(KernelError) -> PageMapEntry {
    try entries(of: address, count: 1)[0]
  }

  /// The entries of `count` pages that follow each other.
  func entries(of address: UnsafeRawPointer, count: Int) throws(KernelError) -> [PageMapEntry] {
    let offset = Int(UInt(bitPattern: address) / UInt(kernelPageSize)) * 8
    var read = 0
    let raw = [UInt64](unsafeUninitializedCapacity: count) { buffer, initialized in
      read = pread(descriptor.rawValue, buffer.baseAddress, count * 8, offset)
      initialized = max(0, read) / 8
    }
    if raw.count != count { throw .last("read pagemap") }
    return raw.map(PageMapEntry.init)
  }
}

/// What the kernel uses a physical page for: its word of /proc/kpageflags (linux/kernel-page-flags.h).
struct PageFlags: Sendable, Equatable {
  let raw: UInt64

  /// Whether the flag of that number is set.
  func has(_ bit: Int) -> Bool { raw >> UInt64(bit) & 1 == 1 }
  /// What is there is not what is on disk or swap.
  var isDirty: Bool { has(4) }
  /// The allocator has it, on a list of its own and not of one CPU.
  var isFree: Bool { has(10) }
  /// Some page table has it.
  var isMapped: Bool { has(11) }
  var isAnonymous: Bool { has(12) }
  var isSwapCache: Bool { has(13) }
  /// Shared or anonymous memory that is to be kept: without it an anonymous page is dropped by reclaim.
  var isSwapBacked: Bool { has(14) }
  /// First or other part of a larger page.
  var isCompound: Bool { has(15) || has(16) }
  var isHugetlb: Bool { has(17) }
  var isKSM: Bool { has(21) }
  var isTransparentHuge: Bool { has(22) }
  var isZeroPage: Bool { has(24) }

  /// The flags of `frame`; nil where they are hidden (not root) or the kernel has none.
  static func of(_ frame: UInt64) -> PageFlags? {
    let file = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC)
    if file < 0 { return nil }
    defer { close(file) }
    var raw: UInt64 = 0
    return pread(file, &raw, 8, off_t(frame * 8)) == 8 ? PageFlags(raw: raw) : nil
  }
}
