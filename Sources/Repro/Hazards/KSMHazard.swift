import Glibc

/// KSM: ksmd finds a twin of the page and maps one write-protected page for both.
/// See ``drawing``.
/// The guard is write_protect_page() in mm/ksm.c.
final class KSMHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    reader                        kernel                    ksmd
    read(fd, buf) ------------->  takes P1 behind buf
                                                            P1 same as its twin P3: write-protects
                                                            P1, must see the extra reference and
                                                            give up; else buf is P3
                                  I/O completes into P1
    verify: buf is P3: LOST READ
    """

  static let cFragment = CFragment(
    uses: [KSMDaemon.cTwin, KSMDaemon.cScan],
    setUp: KSMDaemon.cSetUp,
    act: """
      memcpy(twin, buf, page_size);
      madvise(buf, page_size, MADV_MERGEABLE);
      return merges(is_one_with_twin);
      """,
    settle: KSMDaemon.cLookAtTwin,
    canBeRefused: true)

  static let refuses = Guard(
    "ksm-counts-references",
    "ksmd left the page alone for \(KSMDaemon.scans) full scans, and merged it once the I/O was over")
  static let guards = [refuses]
  let refusal: Guard? = refuses
  /// A page that is stored to is never the same as its twin.
  let toleratesStores = false
  let needsTwins = true
  private let twins: KSMTwins

  init(depth: Int) { twins = KSMTwins(depth: depth) }

  private func advise(_ advice: CInt, _ name: String, _ pages: PagesUnderIO) throws(KernelError) {
    for run in pages.runs { try Repro.advise(advice, name, run.start, run.length) }
    try twins.advise(advice, name)
  }

  func prepare(_ pages: PagesUnderIO) throws(KernelError) { try twins.fill(pages) }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    // Not in prepare: a page merged before the I/O would be unshared by it, and tell less.
    try advise(MADV_MERGEABLE, "MADV_MERGEABLE", pages)
    return try KSMDaemon.outcomes(pages.patience, with: "its twin") { () throws(KernelError) in
      try twins.areMerged(with: pages)
    }
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    try advise(MADV_UNMERGEABLE, "MADV_UNMERGEABLE", pages)
    return twins.views
  }

  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    try twins.fill(pages)
    let outcomes = try act(pages)
    _ = try settle(pages)
    return outcomes
  }

  /// A merged page is shared and read-only: a store to it must copy, and the I/O has the old frame.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}
