import CKernel
import SystemPackage

extension Guard {
  /// The expected reference count of mm/migrate.c: a page that somebody else has does not move.
  static let migrationCounts = Guard(
    "migration-counts-references", "the page stayed on its node while the I/O had it, and moved afterwards")
}

/// What all ways to migrate a page share: which node it is on, and what its frames say of a move.
enum Migration {
  /// A page that NUMA balancing moves meanwhile would be taken for moved by the hazard.
  static let settings: [Setting] = [.file("/proc/sys/kernel/numa_balancing", "0", .wished)]

  /// In C: `move` brings the page at `buf` from `node` to the other one, and its frame tells whether it went.
  static func cFragment(declaring variables: String, _ move: String) -> CFragment {
    CFragment(
      includes: ["linux/mempolicy.h"],
      setUp: """
        if (access("/sys/devices/system/node/node1", F_OK) < 0)
          END(SKIPPED, "one NUMA node only: boot with numa=fake=2, or use a guest");
        """,
      act: """
        void *page = buf;
        unsigned long long before = pagemap(buf);
        int node = -1;
        \(variables)

        syscall(SYS_move_pages, 0, 1UL, &page, NULL, &node, MPOL_MF_MOVE);
        if (node < 0)
          END(ERROR, "move_pages can't tell the page's node (%d)", node);
        \(move)
        return (pagemap(buf) ^ before) & FRAME;
        """,
      canBeRefused: true)
  }

  /// The node of each page, or -errno.
  /// - Parameter process: whose page it is at these addresses; nil for this process.
  static func nodes(of pages: PagesUnderIO, in process: Int32? = nil) throws(KernelError) -> [CInt] {
    var nodes = [CInt](repeating: -1, count: pages.count)
    var addresses = pages.addresses.map(Optional.some)
    try check(ck_move_pages(process ?? 0, pages.count, &addresses, nil, &nodes), "move_pages (query)")
    return nodes
  }

  /// move_pages(2), which only tells what was asked: a positive return (since 4.17) is of pages that stayed, and leaves
  /// their status unwritten.
  /// - Returns: how many stayed, and of each page its node, -errno or ``unwritten``.
  static func move(
    _ pages: PagesUnderIO, to nodes: [CInt], in process: Int32? = nil
  ) throws(KernelError) -> (stayed: CInt, status: [CInt]) {
    var addresses = pages.addresses.map(Optional.some)
    var status = [CInt](repeating: unwritten, count: pages.count)
    let result = ck_move_pages(process ?? 0, pages.count, &addresses, nodes, &status)
    if result < 0, Errno(rawValue: -result) != .noSuchFileOrDirectory {
      throw KernelError("move_pages" + (process.map { " of process \($0)" } ?? ""), Errno(rawValue: -result))
    }
    return (result, status)
  }

  static let unwritten = CInt.min

  /// Another node than `node` that has memory.
  static func other(than node: CInt) -> CInt {
    (NUMANodes.withMemory ?? []).map(CInt.init).first { $0 != node } ?? node
  }

  /// What moved has another frame; return values only tell what was asked.
  static func outcomes(
    _ before: [PageMapEntry], _ after: [PageMapEntry], by call: String, way: (Int) -> String
  ) -> [HazardOutcome] {
    before.indices.map { page in
      guard let old = before[page].frame else { return .noEffect("no page was there to move") }
      if let new = after[page].frame, old != new {
        return .applied("\(call) moved the page: frame \(Hex.number(old)) to \(Hex.number(new))")
      }
      return .refused("\(call) left the frame, \(way(page))")
    }
  }
}
