import CKernel
import Glibc

/// Swap as a state: pages that are out, and pages that came back by a read.
enum Swapping {
  private static let attempts = 5

  /// Where pages go, after what a page that came back was seen not to be. Past the swap cache comes what one address
  /// alone has on a device that answers at once (SWP_SYNCHRONOUS_IO, do_swap_page); on 7.2 such a page is dirty, too.
  static var whereabouts: String {
    guard let area = SwapArea.first else { return "no swap is on" }
    return "swap is on \(area.path)"
      + (area.isZram
        ? ", from which a page used once comes back past the swap cache: name another --swap-device" : "")
  }

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

extension Swapping {
  private static let cOut = """
    /* Reclaims the page, which is left alone while it is on its way somewhere. */
    static void swap_out(void)
    {
      for (int i = 0; i < \(attempts) && !(pagemap(buf) >> 62 & 1); i++) {
        usleep(i ? 1000 : 0);
        madvise(buf, page_size, MADV_PAGEOUT);
      }
      if (!(pagemap(buf) >> 62 & 1))
        END(SKIPPED, "MADV_PAGEOUT left the page mapped");
    }
    """

  /// In C: out, and with `more` back.
  fileprivate static func c(_ more: String = "", prove: String = "") -> CMemory {
    .anon(
      uses: [PageoutHazard.cNeedSwap, cOut],
      setUp: """
        need_swap();
        """,
      enter: "swap_out();" + more, prove: prove)
  }

  fileprivate static let cIn = "\n(void)*(volatile unsigned char *)buf; /* comes back clean */"
}

extension MemoryKind {
  /// Pages on swap: the I/O's fault brings them back.
  public static let swapped = MemoryKind(
    "swapped", "private anonymous base pages that were swapped out", needs: [.swap, .pageFrames],
    settings: [.swap], c: Swapping.c(),
    state: AnonState(enter: Swapping.out) { entries, _ in
      entries.allSatisfy(\.isSwapped)
        ? .reached("pagemap: swap entries") : .missed("MADV_PAGEOUT left a page mapped")
    })

  /// Pages that came back by a read, and were not stored to.
  public static let swappedIn = MemoryKind(
    "swapped-in", "private anonymous base pages that came back from swap by a read",
    needs: [.swap, .pageFrames],
    settings: [.swap],
    c: Swapping.c(
      Swapping.cIn, prove: CMemory.prove("!(flags_of(buf) >> 4 & 1) /* KPF_DIRTY */", "the page is dirty")),
    state: AnonState(enter: Swapping.outAndIn) { entries, flags in
      guard entries.allSatisfy({ $0.isPresent && !$0.isFileOrShared }), let flags else {
        return .missed("no anonymous page is mapped")
      }
      return flags.isDirty
        ? .missed("kpageflags: dirty; \(Swapping.whereabouts)")
        : .reached("kpageflags: not dirty, back from swap")
    })

  /// The same, with the page in the swap cache too.
  public static let swapCache = MemoryKind(
    "swap-cache", "private anonymous base pages that are mapped and in the swap cache",
    needs: [.swap, .pageFrames], settings: [.swap],
    c: Swapping.c(
      Swapping.cIn,
      prove: CMemory.prove("flags_of(buf) >> 13 & 1 /* KPF_SWAPCACHE */", "not in the swap cache")),
    state: AnonState(enter: Swapping.outAndIn) { entries, flags in
      entries.allSatisfy(\.isPresent) && flags?.isSwapCache == true
        ? .reached("kpageflags: in the swap cache")
        : .missed("kpageflags: not in the swap cache; \(Swapping.whereabouts)")
    })
}
