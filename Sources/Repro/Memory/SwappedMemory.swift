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

extension MemoryKind {
  /// Pages on swap: the I/O's fault brings them back.
  public static let swapped = MemoryKind(
    "swapped", "private anonymous base pages that were swapped out", needs: [.swap, .pageFrames],
    settings: [.swap],
    state: AnonState(enter: Swapping.out) { entries, _ in
      entries.allSatisfy(\.isSwapped)
        ? .reached("pagemap: swap entries") : .missed("MADV_PAGEOUT left a page mapped")
    })

  /// Pages that came back by a read, and were not stored to.
  public static let swappedIn = MemoryKind(
    "swapped-in", "private anonymous base pages that came back from swap by a read",
    needs: [.swap, .pageFrames],
    settings: [.swap],
    state: AnonState(enter: Swapping.outAndIn) { entries, flags in
      guard entries.allSatisfy({ $0.isPresent && !$0.isFileOrShared }), let flags else {
        return .missed("no anonymous page is mapped")
      }
      return flags.isDirty ? .missed("kpageflags: dirty") : .reached("kpageflags: not dirty, back from swap")
    })

  /// The same, with the page in the swap cache too.
  public static let swapCache = MemoryKind(
    "swap-cache", "private anonymous base pages that are mapped and in the swap cache",
    needs: [.swap, .pageFrames], settings: [.swap],
    state: AnonState(enter: Swapping.outAndIn) { entries, flags in
      entries.allSatisfy(\.isPresent) && flags?.isSwapCache == true
        ? .reached("kpageflags: in the swap cache")
        : .missed("kpageflags: not in the swap cache, which zram skips for a page used once")
    })
}

extension PageFlags {
  /// KPF_DIRTY: not the same as what is on swap.
  fileprivate var isDirty: Bool { has(4) }
}
