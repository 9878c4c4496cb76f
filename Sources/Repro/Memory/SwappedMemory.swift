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
