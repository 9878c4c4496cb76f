import CKernel
import Glibc

/// MADV_PAGEOUT: the page is unmapped towards swap and read back through the swap cache, read-only.
/// See ``drawing``.
/// 5.9 to 5.19; since then the swap entry remembers that the page was exclusive (1493a1913e34).
/// Since 5.10.9 reclaim refuses pages that are pinned, not merely referenced (feb889fb40fa).
final class PageoutHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    reader                        kernel                    hazard / store
    read(fd, buf) ------------->  takes P1 behind buf
                                                            madvise(buf, MADV_PAGEOUT): P1 in the
                                                            swap cache, buf is a swap entry
                                                            load from buf: P1 mapped read-only
                                                            store to buf: write fault; P1 has an
                                                            extra reference: copied, buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  /// In C: ends the program where no swap is on.
  static let cNeedSwap = """
    static void need_swap(void)
    {
      FILE *file = fopen("/proc/swaps", "r");
      char line[256];
      int lines = 0;

      while (file && fgets(line, sizeof(line), file))
        lines++;
      if (lines < 2) /* the first one is a heading */
        END(SKIPPED, "no swap is on: turn on swap first (swapon)");
    }
    """

  static let cFragment = CFragment(
    uses: [cNeedSwap],
    setUp: """
      need_swap();
      """,
    act: """
      if (madvise(buf, page_size, MADV_PAGEOUT) < 0)
        END(ERROR, "MADV_PAGEOUT: %m");
      if (!(pagemap(buf) >> 62 & 1)) /* still no swap entry */
        return false;
      (void)*(volatile unsigned char *)buf; /* comes back read-only */
      return true;
      """,
    settle: """
      if (act()) /* so the read was why it was refused; a lost dirty bit shows now */
        exposed = true;
      """)

  /// The same without a store: what asks is the trip to swap after the read.
  static let cWithoutStore: CFragment = {
    var fragment = cFragment
    fragment.touch = "/* nobody stores */"
    fragment.settle = """
      exposed = act(); /* a dirty bit lost with the read shows now */
      """
    return fragment
  }()

  static let guards = [leaves, remembers]
  static let guardsWithoutStore = [leaves, .ioMarksDirty]
  private static let leaves = Guard(
    "reclaim-leaves-pinned", "reclaim left the page mapped while the I/O had it, and took it afterwards")
  let refusal: Guard? = leaves
  private static let remembers = Guard(
    "swap-entry-remembers-exclusive", "the page went to a swap entry and back, and the store kept its frame")
  let lossOnSecondLook: Damage.Kind? = .lostAfterSwap
  /// A store that comes before the load brings the page back writable, with nothing left to copy.
  let toleratesStores = false

  /// A way to make the kernel reclaim pages, and what it is called.
  struct Reclaim: Sendable {
    let name: String
    let take: @Sendable (PagesUnderIO) throws(KernelError) -> Void

    /// The caller's advice.
    static let advice = Reclaim(name: "MADV_PAGEOUT") { pages throws(KernelError) in
      for run in pages.runs { try advise(CInt(CK_MADV_PAGEOUT), "MADV_PAGEOUT", run.start, run.length) }
    }
  }

  private let isStoredTo: Bool
  private let reclaim: Reclaim

  /// - Parameter isStoredTo: whether somebody stores to the page before the I/O is over.
  init(isStoredTo: Bool = true, by reclaim: Reclaim = .advice) {
    self.isStoredTo = isStoredTo
    self.reclaim = reclaim
  }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    try reclaim.take(pages)
    let entries = try pages.entries()
    if let first = entries.firstIndex(where: \.isSwapped) {
      pages.timeline.mark(.hazard, "pagemap: page \(first) is a swap entry")
    }
    return zip(pages.addresses, entries).map { address, entry in
      guard entry.isSwapped else { return .refused("\(reclaim.name) left the page mapped") }
      _ = ck_load8(address)
      return .applied("page became a swap entry and was read back")
    }
  }

  /// What became of the pages when the I/O was over.
  private var settled: [HazardOutcome] = []

  /// The data must survive a trip to swap: a dirty bit lost with the I/O shows as old bytes here.
  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    settled = try act(pages)
    return []
  }

  /// Settling was just that. Once more right after it would meet the page on its way to the disk, and
  /// reclaim leaves pages under writeback alone; so only what it did not take is tried again, later.
  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    for _ in 0..<5 where !settled.allSatisfy(\.isApplied) {
      usleep(2000)
      settled = zip(settled, try act(pages)).map { $0.isApplied ? $0 : $1 }
    }
    return settled
  }

  /// A page that came back keeps its frame because its entry said that it was exclusive: mapped writable at once
  /// (6.1 and later), or reused by the store's write fault. Without a store nothing but the I/O makes the page dirty,
  /// and what asks is the trip to swap afterwards.
  func asked(_ page: Observation, _ number: Int) -> Guard? {
    if !isStoredTo { return settled.of(number)?.isApplied == true ? .ioMarksDirty : nil }
    return page.keptFrame == true || page.faults > 0 && page.keptFrame != false ? Self.remembers : nil
  }
}
