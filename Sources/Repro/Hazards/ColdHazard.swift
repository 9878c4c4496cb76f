import Glibc

/// MADV_COLD: the page goes to the end of the inactive list, so that reclaim takes it first; it stays
/// mapped, and may be stored to at once.
/// See ``drawing``.
/// Since 5.4 (9c276cc65a58); no release is known to lose data by it.
final class ColdHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard / store
    read(fd, buf) ------------->  takes P1 behind buf
                                                            madvise(buf, MADV_COLD): P1 is no longer
                                                            young or referenced, and still at buf
                                                            store to buf: no fault. Were P1 taken by
                                                            reclaim all the same, buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let cFragment = CFragment(
    globals: """
      static bool is_referenced(void)
      {
        return flags_of(buf) >> 2 & 1; /* KPF_REFERENCED */
      }
      """,
    act: """
      bool was_referenced = is_referenced(); /* by the read, which took it */

      if (madvise(buf, page_size, 20 /* MADV_COLD */) < 0)
        END(SKIPPED, "MADV_COLD: %m; boot Linux 5.4 or later");
      return was_referenced && !is_referenced();
      """)

  static let guards = [leaves, leavesPinned]
  private static let leaves = Guard(
    "cold-leaves-mapped", "the page was no longer referenced, and stayed behind its address")
  /// A huge page must be split for the advice, and is not while somebody has it.
  private static let leavesPinned = Guard(
    "cold-leaves-pinned", "MADV_COLD left the page referenced while the I/O had it, and did not afterwards")
  let refusal: Guard? = leavesPinned

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let frames = try pages.entries().map(\.frame)
    let before = frames.map(Self.isReferenced)
    for run in pages.runs { try advise(MADV_COLD, "MADV_COLD", run.start, run.length) }
    return zip(frames, before).map { frame, before in
      if before != true { return .noEffect("the page was not referenced before") }
      return Self.isReferenced(frame) == false
        ? .applied("kpageflags: the page is no longer referenced")
        : .refused("MADV_COLD left the page referenced")
    }
  }

  func asked(_ page: Observation, _ number: Int) -> Guard? {
    page.keptFrame == true ? Self.leaves : nil
  }

  /// KPF_REFERENCED, which whoever takes the page for I/O sets; nil where it is hidden.
  private static func isReferenced(_ frame: UInt64?) -> Bool? {
    guard let frame, let flags = PageFlags.of(frame) else { return nil }
    return flags.has(2)
  }
}

extension Need {
  /// MADV_COLD, of Linux 5.4.
  static let madviseCold = Need("MADV_COLD") {
    // No page has an address of 0, but the advice is looked at first.
    madvise(nil, 0, MADV_COLD) == 0 ? nil : "the kernel has no MADV_COLD: boot Linux 5.4 or later"
  }
}
