import Glibc

/// KSM merges the page into one that it shares already: two twins were merged before the I/O.
/// See ``drawing``.
/// The guard is the same as for two pages, write_protect_page() in mm/ksm.c, on another way there: the
/// stable tree, for which a page needs no unchanged checksum.
final class KSMExistingHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    reader                        kernel                    ksmd
                                                            merges two twins of the page to P3
    read(fd, buf) ------------->  takes P1 behind buf
                                                            P1 same as P3: write-protects P1, must
                                                            see the extra reference and give up;
                                                            else buf is P3
                                  I/O completes into P1
    verify: buf is P3: LOST READ
    """

  static let cFragment = CFragment(
    uses: [KSMDaemon.cTwin, KSMDaemon.cScan],
    globals: """
      static bool are_twins_one(void)
      {
        return !((pagemap(twin) ^ pagemap(twin + page_size)) & FRAME);
      }

      /* Gives the page two twins that are one already. */
      static void make_twins(void)
      {
        memcpy(twin, buf, page_size);
        memcpy(twin + page_size, buf, page_size);
        if (!merges(are_twins_one))
          END(SKIPPED, "ksmd did not merge the two twins");
      }
      """,
    setUp: KSMDaemon.cSetUp,
    prepare: """
      make_twins();
      """,
    act: """
      if (memcmp(twin, buf, page_size)) /* after the read */
        make_twins();
      madvise(buf, page_size, MADV_MERGEABLE);
      return merges(is_one_with_twin);
      """,
    settle: KSMDaemon.cLookAtTwin,
    canBeRefused: true)

  static let guards = [KSMHazard.refuses]
  let refusal: Guard? = KSMHazard.refuses
  /// A page that is stored to is never the same as its twins.
  let toleratesStores = false
  private let twins: KSMTwins
  private var isReady = false

  init(depth: Int) { twins = KSMTwins(depth: depth, copies: 2) }

  func prepare(_ pages: PagesUnderIO) throws(KernelError) {
    try twins.fill(pages)
    try twins.advise(MADV_MERGEABLE, "MADV_MERGEABLE")
    let outcomes = try KSMDaemon.outcomes(pages.patience, with: "another") { () throws(KernelError) in
      try twins.areMerged(pages)
    }
    isReady = outcomes.allSatisfy(\.isApplied)
  }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    if !isReady { return [.noEffect("ksmd did not merge the twins before the I/O")] }
    for run in pages.runs { try advise(MADV_MERGEABLE, "MADV_MERGEABLE", run.start, run.length) }
    return try KSMDaemon.outcomes(pages.patience, with: "its two twins") { () throws(KernelError) in
      try twins.areMerged(with: pages)
    }
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    for run in pages.runs { try advise(MADV_UNMERGEABLE, "MADV_UNMERGEABLE", run.start, run.length) }
    try twins.advise(MADV_UNMERGEABLE, "MADV_UNMERGEABLE")
    return twins.views
  }

  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    try prepare(pages)
    let outcomes = try act(pages)
    _ = try settle(pages)
    return outcomes
  }

  /// A merged page is shared and read-only: a store to it must copy, and the I/O has the old frame.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}
