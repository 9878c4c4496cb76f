import CKernel
import Glibc

/// Swap as a state: pages that are out, and pages that came back by a read.
enum Swapping {
  private static let attempts = 5

  /// Reclaims the pages, as often as it takes: one that is on its way somewhere is left alone at first.
  static func out(_ pages: PagesUnderIO) throws(KernelError) {
    for attempt in 0..<attempts {
      if attempt > 0 { usleep(1000) }
      for run in pages.runs { try advise(CInt(CK_MADV_PAGEOUT), "MADV_PAGEOUT", run.start, run.length) }
      if try pages.entries().allSatisfy(\.isSwapped) { return }
    }
  }

  /// The same, and reads them back: mapped read-only and clean, with their place on swap.
  static func outAndIn(_ pages: PagesUnderIO) throws(KernelError) {
    try out(pages)
    // Pages that stayed must not pass for such.
    guard try pages.entries().allSatisfy(\.isSwapped) else { return }
    for address in pages.addresses { _ = ck_load8(address) }
  }
}
