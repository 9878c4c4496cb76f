import CKernel
import Glibc
import SystemPackage

/// A private anonymous mapping of whole pages, never huge, into which trials put their buffers.
final class Arena: @unchecked Sendable {  // an address range; who writes where is the trial's business
  let base: UnsafeMutableRawPointer
  let pageSize: Int
  let pages: Int

  var length: Int { pages * pageSize }

  init(pages: Int, pageSize: Int) throws(KernelError) {
    self.pages = pages
    self.pageSize = pageSize
    var at: UnsafeMutableRawPointer?
    try check(ck_map(pages * pageSize, 0, &at), "mmap \(pages) pages")
    guard let at else { throw KernelError("mmap \(pages) pages", .noMemory) }
    base = at
    // A kernel without THP refuses; then nothing needs to be turned off.
    _ = madvise(base, length, MADV_NOHUGEPAGE)
  }

  deinit { munmap(base, length) }

  func page(_ index: Int) -> UnsafeMutableRawPointer { base + index * pageSize }

  /// Gives all frames back, so that the next store gets new, exclusive ones.
  func renew() throws(KernelError) {
    if mprotect(base, length, PROT_READ | PROT_WRITE) != 0 {
      throw .last("mprotect arena")
    }
    try advise(MADV_DONTNEED, "MADV_DONTNEED", from: base, length)
  }

  func advise(
    _ advice: CInt, _ name: String, from start: UnsafeMutableRawPointer, _ length: Int
  ) throws(KernelError) {
    if madvise(start, length, advice) != 0 {
      throw .last("madvise \(name)")
    }
  }
}

/// The page size of the running kernel, in bytes.
public var kernelPageSize: Int { Int(sysconf(CInt(_SC_PAGESIZE))) }
