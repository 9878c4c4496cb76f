import CKernel
import SystemPackage

/// move_pages(2): migration copies the page to the other NUMA node and maps the copy.
/// See ``drawing``.
/// The guard is the expected reference count of mm/migrate.c; no released kernel is known to lack it.
final class MovePagesHazard: Hazard {
  static let drawing = """
    reader                        kernel                    hazard
    read(fd, buf) ------------->  takes P1 behind buf
                                                            move_pages(buf, other node): must see
                                                            the extra reference and give up (EAGAIN,
                                                            EBUSY); else buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let cFragment = CFragment(
    includes: ["linux/mempolicy.h"],
    setUp: """
      if (access("/sys/devices/system/node/node1", F_OK) < 0)
        END(SKIPPED, "one NUMA node only: boot with numa=fake=2, or use a guest");
      """,
    act: """
      void *page = buf;
      int other, node = -1;

      syscall(SYS_move_pages, 0, 1UL, &page, NULL, &node, MPOL_MF_MOVE);
      if (node < 0)
        END(ERROR, "move_pages can't tell the page's node (%d)", node);
      other = !node; /* a page that is there already does not move */
      if (syscall(SYS_move_pages, 0, 1UL, &page, &other, &node, MPOL_MF_MOVE) < 0)
        END(ERROR, "move_pages to node %d: %m", other);
      return node == other;
      """,
    canBeRefused: true)

  func act(_ page: PageUnderIO) throws(KernelError) -> HazardOutcome {
    var node: CInt = -1
    try check(ck_move_page(page.address, -1, &node), "move_pages (query)")
    if node < 0 { return .noEffect("the page is on no node: \(Errno(rawValue: -node))") }
    // A page that is there already does not move: go to the other one.
    let other: CInt = node == 0 ? 1 : 0
    var status: CInt = 0
    let result = ck_move_page(page.address, other, &status)
    // Since 4.17 a positive result counts pages that stayed.
    if result < 0 { throw KernelError("move_pages to node \(other)", Errno(rawValue: -result)) }
    if status == other { return .applied("page moved from node \(node) to node \(other)") }
    if status < 0 { return .refused("move_pages: \(Errno(rawValue: -status))") }
    return .refused("page stayed on node \(status)")
  }
}
