import CKernel
import SystemPackage

/// move_pages(2): migration copies the page to the other NUMA node and maps the copy.
/// See ``drawing``.
/// The guard is the expected reference count of mm/migrate.c; no released kernel is known to lack it.
final class MovePagesHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard
    read(fd, buf) ------------->  takes P1 behind buf
                                                            move_pages(buf, other node): must see
                                                            the extra reference and give up (EAGAIN,
                                                            EBUSY); else buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let cFragment = Migration.cFragment(
    declaring: "int other;",
    """
    other = !node; /* a page that is there already does not move; status may stay unwritten */
    if (syscall(SYS_move_pages, 0, 1UL, &page, &other, &node, MPOL_MF_MOVE) < 0)
      END(ERROR, "move_pages to node %d: %m", other);
    """)

  let refusal: Guard? = Guard.migrationCounts
  let replacesFrames = true
  /// What moved has another frame.
  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let before = try pages.entries()
    let from = try Migration.nodes(of: pages)
    // A page that is there already does not move: go to another one.
    let to = from.map(Migration.other)
    let (stayed, status) = try Migration.move(pages, to: to)
    let outcomes = Migration.outcomes(before, try pages.entries(), by: "move_pages") { page in
      let way = "from node \(from[page]) to node \(to[page])"
      if from[page] < 0 { return "\(way): the page is on no node: \(Errno(rawValue: -from[page]))" }
      let answer =
        status[page] == Migration.unwritten
        ? "\(stayed) pages stayed"
        : status[page] < 0 ? "\(Errno(rawValue: -status[page]))" : "it says node \(status[page])"
      return "\(way): \(answer)"
    }
    // What another process maps too is not moved for that, and no reference was counted (do_pages_move).
    return zip(outcomes, status).map { outcome, status in
      status == -Errno.permissionDenied.rawValue && !outcome.isApplied
        ? .noEffect("not tried: \(outcome.evidence)") : outcome
    }
  }

  /// A page that moved under I/O was not guarded.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}
