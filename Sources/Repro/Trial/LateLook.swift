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
///
/// The first trials of a case look once more after a fork: the child must see what this process sees, and the
/// store that copies the page must copy what was read.
enum LateLook {
  /// How many trials do: under emulation a fork takes longer than a trial.
  static let forks = 2

  /// Forks, stores to the pages, and ends the child.
  /// - Parameter look: is given what the child saw.
  static func fork<Result>(
    _ pages: PagesUnderIO, look: ([View]) -> Result
  ) throws(KernelError) -> Result {
    let fork = try ForkHazard(.reads, depth: pages.count)
    _ = try fork.act(pages)
    restore(pages)
    let views = try fork.settle(pages)
    return withExtendedLifetime(fork) { look(views) }
  }

  /// Makes the pages again what they were before, dirty and the caller's own: a hazard that is tried once
  /// more must not meet them clean and in the swap cache.
  static func restore(_ pages: PagesUnderIO) {
    for address in pages.addresses { ck_store64(address, ck_load64(address)) }
  }
}
