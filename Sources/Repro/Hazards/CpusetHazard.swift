import CKernel
import SystemPackage

/// cpuset.mems: the process's cgroup is told to use the other NUMA node alone, and its memory follows.
/// See ``drawing``.
/// Version 2 moves memory since 5.16 (ee9707e8593d), version 1 with cpuset.memory_migrate. The guard is the
/// expected reference count of mm/migrate.c; no released kernel is known to lack it.
final class CpusetHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard
    read(fd, buf) ------------->  takes P1 behind buf
                                                            cpuset.mems = other node: all memory of
                                                            the cgroup's processes moves, must see
                                                            the extra reference and leave P1; else
                                                            buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let settings = Migration.settings + [.cgroup(.cpuset, name)]
  private static let name = "nodes"

  let refusal: Guard? = Guard.migrationCounts
  let replacesFrames = true
  private let group: Cgroup

  init() throws(KernelError) { group = try Cgroup(.cpuset, Self.name) }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let before = try pages.entries()
    let from = try Migration.nodes(of: pages)
    let nodes = NUMANodes.withMemory ?? []
    for node in Set(from) where node >= 0 {
      // From all to one: only a change moves anything.
      try group.write("cpuset.mems", nodes.map(String.init).joined(separator: ","))
      try group.write("cpuset.mems", String(Migration.other(than: node)))
    }
    return Migration.outcomes(before, try pages.entries(), by: "cpuset.mems") { "on node \(from[$0])" }
  }

  /// A page that moved under I/O was not guarded.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}
