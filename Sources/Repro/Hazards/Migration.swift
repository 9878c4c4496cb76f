import CKernel

extension Guard {
  /// The expected reference count of mm/migrate.c: a page that somebody else has does not move.
  static let migrationCounts = Guard(
    "migration-counts-references", "the page stayed on its node while the I/O had it, and moved afterwards")
}

/// What all ways to migrate a page share: which node it is on, and what its frames say of a move.
enum Migration {
  /// A page that NUMA balancing moves meanwhile would be taken for moved by the hazard.
  static let settings: [Setting] = [.file("/proc/sys/kernel/numa_balancing", "0", .wished)]

  /// The node of each page, or -errno.
  static func nodes(of pages: PagesUnderIO) throws(KernelError) -> [CInt] {
    var nodes = [CInt](repeating: -1, count: pages.count)
    var addresses = pages.addresses.map(Optional.some)
    try check(ck_move_pages(pages.count, &addresses, nil, &nodes), "move_pages (query)")
    return nodes
  }

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
