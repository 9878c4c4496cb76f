import Glibc

/// MADV_UNMERGEABLE on memory whose page was merged before the I/O. The I/O's own fault gave the caller a
/// page of its own, which unmerging must leave alone.
/// See ``drawing``.
final class KSMUnmergeHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard / store
                                                            buf and its twin are one page, P3
    read(fd, buf) ------------->  copies P3 to P1, which
                                  is behind buf, takes P1
                                                            madvise(buf, MADV_UNMERGEABLE): copies
                                                            what is still shared; P1 is not
                                                            store to buf: no fault. Were P1 copied
                                                            again, buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let cFragment = CFragment(
    act: """
      bool is_own = pagemap(buf) >> 56 & 1; /* since the read took it */

      if (madvise(buf, page_size, MADV_UNMERGEABLE) < 0)
        END(ERROR, "MADV_UNMERGEABLE: %m");
      return is_own;
      """)

  static let guards = [leaves]
  private static let leaves = Guard(
    "unmerge-leaves-unshared", "the page was the caller's own since the I/O took it, and its frame stayed")

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    // Not by KPF_KSM: 6.12 shows it for every anonymous page.
    let isShared = try pages.entries().map { !$0.isExclusive }
    for run in pages.runs { try advise(MADV_UNMERGEABLE, "MADV_UNMERGEABLE", run.start, run.length) }
    return isShared.map {
      $0 ? .noEffect("the I/O has a page that is shared") : .applied("MADV_UNMERGEABLE returned")
    }
  }

  func asked(_ page: Observation, _ number: Int) -> Guard? { page.keptFrame == true ? Self.leaves : nil }
}
