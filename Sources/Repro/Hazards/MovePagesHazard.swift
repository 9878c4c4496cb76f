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

  static let cFragment = CFragment(
    includes: ["linux/mempolicy.h"],
    setUp: """
      if (access("/sys/devices/system/node/node1", F_OK) < 0)
        END(SKIPPED, "one NUMA node only: boot with numa=fake=2, or use a guest");
      """,
    act: """
      void *page = buf;
      unsigned long long before = pagemap(buf);
      int other, node = -1;

      syscall(SYS_move_pages, 0, 1UL, &page, NULL, &node, MPOL_MF_MOVE);
      if (node < 0)
        END(ERROR, "move_pages can't tell the page's node (%d)", node);
      other = !node; /* a page that is there already does not move */
      if (syscall(SYS_move_pages, 0, 1UL, &page, &other, &node, MPOL_MF_MOVE) < 0)
        END(ERROR, "move_pages to node %d: %m", other);
      return (pagemap(buf) ^ before) & FRAME; /* status may stay unwritten */
      """,
    canBeRefused: true)

  let refusal: Guard? = Guard(
    "migration-counts-references", "the page stayed on its node while the I/O had it, and moved afterwards")
  let replacesFrames = true
  private let nodes: [CInt]

  init() { nodes = (NUMANodes.withMemory ?? []).map(CInt.init) }

  /// The return value and the status only tell what was asked: a positive return (since 4.17, pages that
  /// stayed) leaves status unwritten. What moved has another frame.
  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let before = try pages.entries()
    var from = [CInt](repeating: -1, count: pages.count)
    var addresses = pages.addresses.map(Optional.some)
    try check(ck_move_pages(pages.count, &addresses, nil, &from), "move_pages (query)")
    // A page that is there already does not move: go to another one.
    let to = from.map { node in nodes.first { $0 != node } ?? node }
    let unwritten = CInt.min
    var status = [CInt](repeating: unwritten, count: pages.count)
    let result = ck_move_pages(pages.count, &addresses, to, &status)
    if result < 0, Errno(rawValue: -result) != .noSuchFileOrDirectory {
      throw KernelError("move_pages", Errno(rawValue: -result))
    }
    let after = try pages.entries()
    return (0..<pages.count).map { page in
      let way = "from node \(from[page]) to node \(to[page])"
      if let old = before[page].frame, let new = after[page].frame, old != new {
        return .applied("page moved \(way): frame \(Hex.number(old)) to \(Hex.number(new))")
      }
      if from[page] < 0 { return .noEffect("the page is on no node: \(Errno(rawValue: -from[page]))") }
      let answer =
        status[page] == unwritten
        ? "\(result) pages stayed"
        : status[page] < 0 ? "\(Errno(rawValue: -status[page]))" : "it says node \(status[page])"
      return .refused("move_pages \(way) left the frame: \(answer)")
    }
  }

  /// A page that moved under I/O was not guarded.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}
