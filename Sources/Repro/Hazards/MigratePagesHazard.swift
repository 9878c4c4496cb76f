import CKernel
import SystemPackage

/// migrate_pages(2): all pages of the process leave the node that the page is on.
/// See ``drawing``.
/// The guard is the expected reference count of mm/migrate.c; no released kernel is known to lack it.
final class MigratePagesHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard
    read(fd, buf) ------------->  takes P1 behind buf
                                                            migrate_pages(self, node, other node):
                                                            moves all else, must see the extra
                                                            reference and leave P1; else buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let cFragment = Migration.cFragment(
    declaring: "unsigned long from, to;",
    """
    from = 1UL << node;
    to = node ? 1 : 2; /* the other one */
    if (syscall(SYS_migrate_pages, 0, 65UL, &from, &to) < 0)
      END(ERROR, "migrate_pages: %m");
    """)

  let refusal: Guard? = Guard.migrationCounts
  let replacesFrames = true

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let before = try pages.entries()
    let from = try Migration.nodes(of: pages)
    var stayed: CInt = 0
    for node in Set(from) where node >= 0 {
      stayed = try check(ck_migrate_pages(node, Migration.other(than: node)), "migrate_pages")
    }
    return Migration.outcomes(before, try pages.entries(), by: "migrate_pages") { _ in
      "and \(stayed) pages stayed"
    }
  }

  /// A page that moved under I/O was not guarded.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}
