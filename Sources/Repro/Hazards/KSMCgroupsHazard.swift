import Glibc

/// KSM merges two pages that are charged to two memory cgroups, and the cgroup that pays for the merged page
/// ends: who shares the page must keep it.
/// See ``drawing``.
/// While the I/O is in flight the guard is write_protect_page(), as for every merge. What comes afterwards is the
/// bookkeeping of mm/memcontrol.c: a group that ends gives what is charged to it to its parent. /proc/kpagecgroup
/// tells which group a frame is charged to.
final class KSMCgroupsHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    reader                        kernel                    ksmd
    P1 behind buf is charged to cgroup a, its twin P3 to b
    read(fd, buf) ------------->  takes P1 behind buf
                                                            P1 same as P3: must see the extra
                                                            reference and give up; else buf is P3
                                  I/O completes into P1
    verify: buf is P3: LOST READ
                                                            merges P1 with a new twin: buf is P3',
                                                            charged to b
                                  b ends: P3' is its parent's
    verify: buf is not what was read: LOST AFTER MERGE
    """

  static let settings: [Setting] =
    KSMDaemon.settings + [.cgroup(.memory, other), .cgroup(.memory, own)]
  private static let own = "a"
  private static let other = "b"

  static let guards = [KSMHazard.refuses]
  let refusal: Guard? = KSMHazard.refuses
  let lossOnSecondLook: Damage.Kind? = .lostAfterMerge
  /// A page that is stored to is never the same as its twin.
  let toleratesStores = false
  /// Those that the I/O meets, and those that the page is merged with afterwards.
  private let twins: KSMTwins
  private let later: KSMTwins
  private let a: Cgroup
  private let b: Cgroup
  private var merged: [HazardOutcome] = []

  init(depth: Int) throws(KernelError) {
    twins = KSMTwins(depth: depth)
    later = KSMTwins(depth: depth)
    a = try Cgroup(.memory, Self.own)
    b = try Cgroup(.memory, Self.other)
  }

  /// Fresh twins with the pages' bytes, charged to b.
  private func fill(_ twins: KSMTwins, _ pages: PagesUnderIO) throws(KernelError) {
    twins.drop()
    try b.enter()
    do throws(KernelError) {
      try twins.fill(pages)
    } catch {
      try? a.enter()
      throw error
    }
    try a.enter()
  }

  func prepare(_ pages: PagesUnderIO) throws(KernelError) { try fill(twins, pages) }

  private func merge(_ twins: KSMTwins, _ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    for run in pages.runs { try advise(MADV_MERGEABLE, "MADV_MERGEABLE", run.start, run.length) }
    try twins.advise(MADV_MERGEABLE, "MADV_MERGEABLE")
    return try KSMDaemon.outcomes(pages.patience, with: "its twin of another cgroup") {
      () throws(KernelError) in
      try twins.areMerged(with: pages)
    }
  }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] { try merge(twins, pages) }

  /// Merges once the I/O is over, ends b, and tells who paid when.
  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    for run in pages.runs { try advise(MADV_UNMERGEABLE, "MADV_UNMERGEABLE", run.start, run.length) }
    try twins.advise(MADV_UNMERGEABLE, "MADV_UNMERGEABLE")
    try fill(later, pages)
    let before = charges(try pages.entries(), try later.entries(pages))
    merged = try merge(later, pages)
    let after = charges(try pages.entries(), try later.entries(pages))
    try endOther(pages)
    let end = charges(try pages.entries(), try later.entries(pages))
    try b.make()
    merged = zip(merged, zip(before, zip(after, end))).map { outcome, seen in
      let (before, (after, end)) = seen
      guard outcome.isApplied else { return outcome }
      // A pair that one group paid for asks nothing of two.
      guard before.page == "a", before.twin == "b" else {
        return .noEffect("the page was charged to \(before.page), its twin to \(before.twin)")
      }
      return .applied(
        "\(outcome.evidence); charged to \(before.page) and \(before.twin), merged to \(after.page), "
          + "and to \(end.page) once b ended")
    }
    pages.timeline.mark(.hazard, merged.first?.text ?? "")
    return twins.views
  }

  /// Ends b. The kernel does so later than it says, and nobody can wait for it but by looking.
  private func endOther(_ pages: PagesUnderIO) throws(KernelError) {
    let gone = b.inode
    try Cgroup.remove(b.path, to: a.path)
    for _ in 0..<100 {
      let payers = try pages.entries().map { $0.frame.flatMap(Cgroup.charged) }
      if !payers.contains(gone) { return }
      usleep(1000)
    }
  }

  /// Settling was just that: whether the kernel merges what no I/O has.
  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    for run in pages.runs { try advise(MADV_UNMERGEABLE, "MADV_UNMERGEABLE", run.start, run.length) }
    return merged
  }

  /// Whom the frames of each page and its twin are charged to.
  private func charges(
    _ pages: [PageMapEntry], _ twins: [PageMapEntry]
  ) -> [(page: String, twin: String)] {
    zip(pages, twins).map { (group(of: $0), group(of: $1)) }
  }

  private func group(of entry: PageMapEntry) -> String {
    guard let frame = entry.frame, let inode = Cgroup.charged(frame) else { return "an unknown group" }
    if inode == a.inode { return "a" }
    if inode == b.inode { return "b" }
    return inode == 0
      ? "no group" : inode == a.parentInode ? "their parent" : "another group (inode \(inode))"
  }

  /// A merged page is shared and read-only: a store to it must copy, and the I/O has the old frame.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}

extension Need {
  /// The group that each frame is charged to.
  static let pageCgroups = Need("/proc/kpagecgroup") {
    KernelFile.exists("/proc/kpagecgroup")
      ? nil
      : "no /proc/kpagecgroup to read: run as root, on a kernel with CONFIG_MEMCG=y and CONFIG_PROC_PAGE_MONITOR=y"
  }
}
