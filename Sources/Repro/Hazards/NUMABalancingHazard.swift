import CKernel
import Glibc
import Synchronization

/// NUMA balancing: the scheduler unmaps pages now and then to see from which node they are used, and a page that
/// is used from another node follows.
/// See ``drawing``.
/// The guards are, on the way there, change_pte_range, which leaves pages that others use mapped (80d47f5de5e3,
/// 5.17 and 5.10.102), and the expected reference count of mm/migrate.c.
final class NUMABalancingHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    thread on the other node
    read(fd, buf) ------------->  takes P1 behind buf
                                                            loads from buf all the time; its ticks
                                                            unmap buf (PROT_NONE for the hardware)
                                                            load: hinting fault, from the wrong node:
                                                            must see the extra reference and leave
                                                            P1; else buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  /// Scans as often as the scheduler allows: smaller ones may follow each other faster (kernel/sched/fair.c,
  /// task_scan_min), and a thread whose loads were all local waits no longer (task_scan_max; 60 s at first), nor do
  /// those that it starts (init_numa_balancing). Since 5.13 the knobs are debugfs's.
  static let settings: [Setting] =
    [.file("/proc/sys/kernel/numa_balancing", "1")]
    + [
      ("scan_delay_ms", "1"), ("scan_period_min_ms", "1"), ("scan_period_max_ms", "1"),
      ("scan_size_mb", "32"),
    ].flatMap { name, value in
      [
        Setting.file("/sys/kernel/debug/sched/numa_balancing/\(name)", value, .wished),
        .file("/proc/sys/kernel/numa_balancing_\(name)", value, .wished),
      ]
    }

  static let guards = [leaves]
  private static let leaves = Guard(
    "numa-balancing-leaves-referenced",
    "the page beside it followed its user to the other node \(moves) times while the page stayed with the I/O, and the "
      + "page followed afterwards")
  let refusal: Guard? = leaves
  let replacesFrames = true

  private static let moves = 2
  private static let limit = Clock.seconds(3)

  /// A page that no I/O has, on the same node: when it moves, the scheduler has been here. After it comes one that
  /// nobody touches.
  private let beside: AddressRange

  init() throws(KernelError) { beside = try AddressRange(length: 2 * kernelPageSize) }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let before = try pages.entries()
    guard let node = try Migration.nodes(of: pages).first, node >= 0 else {
      return [.noEffect("the page is on no node")]
    }
    let other = Migration.other(than: node)
    guard let cpu = NUMANodes.cpus(of: Int(other)).first else {
      return [.noEffect("node \(other) has no CPU")]
    }
    try AddressRange.map(beside.base, beside.length, MAP_PRIVATE | MAP_ANONYMOUS)
    _ = madvise(beside.base, beside.length, MADV_NOHUGEPAGE)
    ck_store64(beside.base, 1)
    try Self.move(beside.base, to: node)

    let moved = Mutex<Result<Int, KernelError>>(.success(0))
    // A new thread each time: the scheduler moves pages of a young one without asking twice.
    let user = try SystemThread { [beside] in
      let result = Result { () throws(KernelError) in
        try Self.use(pages, beside.base, before, node, from: cpu)
      }
      moved.withLock { $0 = result }
    }
    user.join()
    let times = try moved.withLock { $0 }.get()
    return Migration.outcomes(before, try pages.entries(), by: "NUMA balancing") { _ in
      "and moved the page beside it \(times) times"
    }.map {
      $0.kind == .refused && times < Self.moves
        ? .noEffect("NUMA balancing moved the page beside it \(times) of \(Self.moves) times in time") : $0
    }
  }

  /// Loads from the pages until all have moved, or the one beside them has so often, or it has taken too long.
  /// - Returns: how often that one has.
  private static func use(
    _ pages: PagesUnderIO, _ beside: UnsafeMutableRawPointer, _ before: [PageMapEntry], _ node: CInt,
    from cpu: Int
  ) throws(KernelError) -> Int {
    try check(ck_run_on_cpu(CInt(cpu)), "sched_setaffinity to CPU \(cpu)")
    let deadline = Clock.now + min(limit, pages.patience)
    var times = 0
    var frame = try pages.pageMap.entry(of: beside).frame
    while times < moves, Clock.now < deadline, Interrupts.signal == nil {
      for _ in 0..<1000 {
        for address in pages.addresses { _ = ck_load8(address) }
        _ = ck_load8(beside)
      }
      if zip(before, try pages.entries()).allSatisfy({ $0.frame != $1.frame }) { break }
      let now = try pages.pageMap.entry(of: beside).frame
      if now == frame { continue }
      times += 1
      try move(beside, to: node)
      frame = try pages.pageMap.entry(of: beside).frame
    }
    return times
  }

  /// A page that a look after reclaim left in the swap cache stays mapped on 6.1, as one with another reference does
  /// (change_pte_range). The store after a fork lets the swap cache go.
  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let outcomes = try act(pages)
    if outcomes.allSatisfy(\.isApplied) { return outcomes }
    _ = try ForkHazard(.exits, depth: pages.count).act(pages)
    for address in pages.addresses { ck_store64(address, ck_load64(address)) }
    return try act(pages)
  }

  private static func move(_ page: UnsafeMutableRawPointer, to node: CInt) throws(KernelError) {
    var address = Optional(page)
    var (target, status) = (node, CInt.min)
    // Pages that wait in this CPU's list for a place on the LRU stay mapped and can't move, and before 5.18 one that
    // was moved waits there, too. Advice empties the list first, even of pages that aren't there; one that is there
    // would come to another list (folio_deactivate).
    let untouched = page + kernelPageSize
    _ = madvise(untouched, kernelPageSize, MADV_COLD)
    try check(ck_move_pages(0, 1, &address, &target, &status), "move_pages")
    _ = madvise(untouched, kernelPageSize, MADV_COLD)
  }

  /// A page that moved under I/O was not guarded.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}

extension Need {
  /// NUMA balancing, and the right to turn it on.
  static let numaBalancing = Need("NUMA balancing") {
    Need.writable(
      "/proc/sys/kernel/numa_balancing",
      or: "the kernel has no NUMA balancing: build it with CONFIG_NUMA_BALANCING=y")
  }
}
