// The table of scenarios. A new hazard is a new line here.

extension Scenario {
  /// The positive control, with which every lane begins.
  public static let control = Scenario(
    "control-remap", "positive control: user space replaces the page, as a buggy kernel would",
    role: .positiveControl, drawing: RemapHazard.drawing, c: RemapHazard.cFragment
  ) { _ throws(KernelError) in RemapHazard() }

  /// The negative control, which every lane runs second.
  public static let quiet = Scenario(
    "control-none", "negative control: the same trial without any hazard", role: .negativeControl,
    losses: [], c: NoHazard.cFragment
  ) { _ throws(KernelError) in NoHazard() }

  /// Every scenario, in the order of runs.
  public static let all: [Scenario] =
    [control, quiet] + hazards + hazards.filter(\.hasWriteControl).map(\.writeControl)

  /// What a run without names takes. Every lane begins with both controls anyway, and the writes, which
  /// can't lose, are for those who ask for them.
  public static var standard: [Scenario] { hazards }

  /// The scenario of that name.
  public static func named(_ name: String) -> Scenario? { all.first { $0.name == name } }

  private static let hazards: [Scenario] = [
    fork("fork", "fork; the child exits at once", .exits),
    fork("fork-child-stays", "fork; the child lives until after the I/O", .stays),
    fork(
      "fork-child-reads", "fork; the child reads the page and must not see the data arrive", .reads,
      losses: [.lostRead, .torn, .leakedToChild]),
    fork(
      "fork-child-writes", "fork; the child stores to its view of the page, the parent does not", .writes,
      steps: .held(.childStore)),
    fork(
      "fork-remote-store", "fork; then a thread on another CPU stores, with a TLB entry from before", .stays,
      steps: .held(.remoteStore), needs: [.twoCPUs], c: ForkHazard.cRemoteStore),
    fork(
      "fork-read2", "fork, then a second direct read into another part of the page; no store", .stays,
      steps: .held(.secondRead), c: ForkHazard.cSecondRead),
    fork(
      "fork-registered", "fork between the registration of a buffer and its read; nothing is held", .stays,
      steps: .registered, engine: [.registers]),
    Scenario(
      "mprotect", "mprotect to read-only and back", drawing: MprotectHazard.drawing,
      memory: [.private, .divisible],
      raceObstacle: "a store thread that runs free would fault while the page is read-only",
      c: MprotectHazard.cFragment
    ) { _ throws(KernelError) in MprotectHazard() },
    Scenario(
      "soft-dirty", "clear_refs 4, as a checkpoint does", drawing: SoftDirtyHazard.drawing,
      needs: [.softDirty], memory: [.private, .swappable], c: SoftDirtyHazard.cFragment
    ) { _ throws(KernelError) in SoftDirtyHazard() },
    Scenario(
      "pageout", "MADV_PAGEOUT and back through the swap cache", drawing: PageoutHazard.drawing,
      needs: [.swap], settings: [.swap], memory: [.private, .swappable],
      losses: [.lostRead, .torn, .lostAfterSwap], c: PageoutHazard.cFragment
    ) { _ throws(KernelError) in PageoutHazard() },
    Scenario(
      "none-late", "no hazard; once the I/O is over the page goes to swap and comes back",
      drawing: LateLookHazard.drawing, needs: [.swap], settings: [.swap], memory: [.private, .swappable],
      losses: [.lostAfterSwap], raceObstacle: "nothing happens while the I/O is in flight",
      c: LateLookHazard.cFragment
    ) { _ throws(KernelError) in LateLookHazard() },
    Scenario(
      "move_pages", "migration to another NUMA node", drawing: MovePagesHazard.drawing,
      needs: [.twoNodes, .pageFrames],
      settings: [.file("/proc/sys/kernel/numa_balancing", "0", .wished)], c: MovePagesHazard.cFragment
    ) { _ throws(KernelError) in MovePagesHazard() },
    Scenario(
      "ksm", "KSM merges the page with a twin", drawing: KSMHazard.drawing, needs: [.ksm, .pageFrames],
      settings: KSMHazard.settings, memory: [.mergeable],
      raceObstacle: "a page that is stored to all the time is never the same as its twin",
      c: KSMHazard.cFragment
    ) { depth throws(KernelError) in try KSMHazard(depth: depth) },
    Scenario(
      "mprotect-then-fork", "mprotect to read-only and back, then fork; the child exits at once",
      drawing: MprotectHazard.drawing, memory: [.private, .divisible],
      raceObstacle: "a store thread that runs free would fault while the page is read-only",
      c: MprotectHazard.cThenFork, then: [forkAndExit]
    ) { _ throws(KernelError) in MprotectHazard() },
    Scenario(
      "madvise-dontfork-fork", "MADV_DONTFORK, then fork; the child exits at once and never has the page",
      drawing: DontForkHazard.drawing, memory: [.private, .divisible], c: DontForkHazard.cFragment
    ) { depth throws(KernelError) in try DontForkHazard(depth: depth) },
    Scenario(
      "cold", "MADV_COLD, which makes reclaim take the page first", drawing: ColdHazard.drawing,
      needs: [.madviseCold, .pageFrames], memory: [.private, .swappable], c: ColdHazard.cFragment
    ) { _ throws(KernelError) in ColdHazard() },
  ]

  private static let forkAndExit: HazardMaker = { depth throws(KernelError) in
    try ForkHazard(.exits, depth: depth)
  }

  private static func fork(
    _ name: String, _ summary: String, _ child: ForkHazard.Child, steps: [Step] = .held(),
    needs: [Need] = [], c: CFragment? = nil,
    engine: Set<EngineKind.Trait> = [], losses: Set<Damage.Kind> = [.lostRead, .torn]
  ) -> Scenario {
    Scenario(
      name, summary, steps: steps, drawing: ForkHazard.drawing, needs: needs, memory: [.private],
      engine: engine,
      losses: losses,
      raceObstacle: steps == .held() ? nil : "its steps have an order that a race does not keep",
      c: c ?? ForkHazard.cFragment(child)
    ) { depth throws(KernelError) in try ForkHazard(child, depth: depth) }
  }

  /// One write control a kind of hazard: the steps without a write's meaning are left out.
  private var hasWriteControl: Bool { steps == .held() && makeHazards.count == 1 }
}
