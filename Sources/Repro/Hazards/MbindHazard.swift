import CKernel
import Glibc
import SystemPackage

/// mbind(2) with MPOL_MF_MOVE: the mapping's policy names the other NUMA node, and its pages follow.
/// See ``drawing``.
/// The guard is the expected reference count of mm/migrate.c; no released kernel is known to lack it.
final class MbindHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard
    read(fd, buf) ------------->  takes P1 behind buf
                                                            mbind(buf, other node, MPOL_MF_MOVE):
                                                            must see the extra reference and leave
                                                            P1; else buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let cFragment = Migration.cFragment(
    declaring: "unsigned long nodes;",
    """
    nodes = node ? 1 : 2; /* the other one */
    if (syscall(SYS_mbind, buf, page_size, MPOL_BIND, &nodes, 65UL, MPOL_MF_MOVE) < 0)
      END(ERROR, "mbind: %m");
    """)

  let refusal: Guard? = Guard.migrationCounts
  let replacesFrames = true

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let before = try pages.entries()
    let from = try Migration.nodes(of: pages)
    for (page, node) in from.enumerated() where node >= 0 {
      let other = Migration.other(than: node)
      var result = ck_mbind(pages.addresses[page], pages.size, other)
      // A mapping of hugetlb is not cut within a huge page (hugetlb_vm_op_split).
      if result == -EINVAL { result = ck_mbind(pages.memory.base, pages.memory.length, other) }
      try check(result, "mbind")
    }
    return Migration.outcomes(before, try pages.entries(), by: "mbind") { "on node \(from[$0])" }
  }

  /// A page that moved under I/O was not guarded.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}
