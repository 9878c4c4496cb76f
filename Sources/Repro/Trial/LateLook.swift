import CKernel
import Glibc

/// The last look at every page of a staged read: once more after the kernel took the pages and gave them
/// back. Data that is there but not marked dirty is gone then.
/// ```
///  I/O completes into P1, which must be dirty
///  verify: the data is there                      (first and second look)
///  MADV_PAGEOUT: P1 written to swap or to its file if it is dirty, else dropped
///  pagemap: nothing is mapped                     (else this look is none)
///  verify: old bytes: LOST AFTER RECLAIM
/// ```
/// Where the kernel takes nothing (no swap, locked or huge memory) there is nothing to look at.
enum LateLook {
  /// Lets the kernel take the pages.
  /// - Returns: whether each is gone from the page tables.
  static func reclaim(_ pages: PagesUnderIO) throws(KernelError) -> [Bool] {
    for run in pages.runs {
      // What is mapped from a file is written there; elsewhere this does nothing.
      msync(run.start, run.length, MS_SYNC)
      // Memory that can't be reclaimed refuses the advice.
      madvise(run.start, run.length, CInt(CK_MADV_PAGEOUT))
    }
    return try pages.entries().map { !$0.isPresent }
  }

  /// Makes the pages again what they were before, dirty and the caller's own: a hazard that is tried once
  /// more must not meet them clean and in the swap cache.
  static func restore(_ pages: PagesUnderIO) {
    for address in pages.addresses { ck_store64(address, ck_load64(address)) }
  }
}
