// The table of scenarios. A new hazard is a new line here.

extension Scenario {
  /// The positive control, with which every lane begins.
  public static let control = Scenario(
    "control-remap", "positive control: user space replaces the page, as a buggy kernel would",
    role: .positiveControl, drawing: RemapHazard.drawing, c: RemapHazard.cFragment, runsFree: true
  ) { _ throws(KernelError) in RemapHazard() }

  /// The negative control, which every lane runs second.
  public static let quiet = Scenario(
    "control-none", "negative control: the same trial without any hazard", role: .negativeControl,
    losses: [], c: NoHazard.cFragment, runsFree: true
  ) { _ throws(KernelError) in NoHazard() }

  /// Every scenario that is written down, in the order of runs; see ``pairs``.
  public static let all: [Scenario] = singles + hazards.filter(\.hasWriteControl).map(\.writeControl)

  static let singles: [Scenario] = [control, quiet] + buffered + hazards

  /// What a run without names takes. Every lane begins with both controls anyway. The writes, which the usual
  /// staged target can't hold, are for those who ask for them, and so is the recipe to the letter: on a quick disk
  /// its 512 bytes are there before a fork is done.
  public static var standard: [Scenario] {
    hazards.filter { ($0.direction == .read ? $0.caching == .none : $0.isLeftUnread) && !$0.isLiteral }
  }

  /// The scenario of that name.
  public static func named(_ name: String) -> Scenario? {
    all.first { $0.name == name } ?? pairs.first { $0.name == name }
  }

  private static let forks: [Scenario] = [
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
    fork(
      "fork-vm-write", "fork; then process_vm_writev(2) stores, as another process would", .stays,
      steps: .held(.vmWrite), c: ForkHazard.cPoke(throughMem: false)),
    fork(
      "fork-mem-write", "fork; then a write to /proc/self/mem stores, as a debugger's poke does", .stays,
      steps: .held(.memWrite), c: ForkHazard.cPoke(throughMem: true)),
    Scenario(
      "shared-write", "fork, then a direct write of the shared page; a store before the target has its bytes",
      direction: .write, steps: .beforehand, drawing: SharedWriteHazard.drawing,
      guards: SharedWriteHazard.guards, needs: [.pageFrames], memory: [.private], losses: [.lostStore],
      raceObstacle: "a store that runs free may come before the write or after it, and either is right",
      withoutC: writeWithoutC
    ) { depth throws(KernelError) in try SharedWriteHazard(depth: depth) },
  ]

  /// What write-protects, unmaps or takes pages back.
  private static let protections: [Scenario] = [
    Scenario(
      "mprotect", "mprotect to read-only and back", drawing: MprotectHazard.drawing,
      guards: [.writeFaultReuses], memory: [.private, .divisible], raceObstacle: readOnlyFails,
      c: MprotectHazard.cFragment
    ) { _ throws(KernelError) in MprotectHazard() },
    Scenario(
      "soft-dirty", "clear_refs 4, as a checkpoint does", drawing: SoftDirtyHazard.drawing,
      guards: SoftDirtyHazard.guards, needs: [.softDirty], memory: [.private, .swappable],
      isRacedUnasked: true, c: SoftDirtyHazard.cFragment
    ) { _ throws(KernelError) in SoftDirtyHazard() },
    Scenario(
      "uffd-protect", "userfaultfd write-protect, on and off", drawing: UffdProtectHazard.drawing,
      guards: UffdProtectHazard.guards, needs: [.uffdProtect], memory: [.anonymous, .mergeable],
      raceObstacle: "a store thread that runs free would wait for us while the page is protected",
      c: UffdProtectHazard.cFragment
    ) { _ throws(KernelError) in try UffdProtectHazard() },
    Scenario(
      "uffd-move", "UFFDIO_MOVE to another address and back", drawing: UffdMoveHazard.drawing,
      guards: UffdMoveHazard.guards, needs: [.uffdMove, .pageFrames], memory: [.anonymous, .mergeable],
      raceObstacle: "for a moment nothing is mapped, and whoever comes then waits for us",
      c: UffdMoveHazard.cFragment
    ) { depth throws(KernelError) in try UffdMoveHazard(depth: depth) },
    Scenario(
      "pageout", "MADV_PAGEOUT and back through the swap cache", drawing: PageoutHazard.drawing,
      guards: PageoutHazard.guards, needs: [.swap], settings: [.swap], memory: [.private, .swappable],
      losses: [.lostRead, .torn, .lostAfterSwap], isRacedUnasked: true, c: PageoutHazard.cFragment,
      runsFree: true
    ) { _ throws(KernelError) in PageoutHazard() },
    Scenario(
      "memcg-reclaim", "reclaim of the page's memory cgroup, and back through the swap cache",
      drawing: CgroupReclaimHazard.drawing, guards: PageoutHazard.guards, needs: [.swap, .memoryCgroup],
      settings: CgroupReclaimHazard.settings, memory: [.private, .swappable],
      losses: [.lostRead, .torn, .lostAfterSwap],
      withoutC: "it needs a memory cgroup of its own, and makes none"
    ) { _ throws(KernelError) in try CgroupReclaimHazard.make() },
    Scenario(
      "pageout-no-store", "MADV_PAGEOUT and back by a read; only the I/O makes the page dirty",
      steps: .held(.none),
      drawing: PageoutHazard.drawing, guards: PageoutHazard.guardsWithoutStore, needs: [.swap],
      settings: [.swap],
      memory: [.private, .swappable], losses: [.lostRead, .torn, .lostAfterSwap],
      raceObstacle: "its steps have an order that a race does not keep", c: PageoutHazard.cWithoutStore
    ) { _ throws(KernelError) in PageoutHazard(isStoredTo: false) },
    Scenario(
      "none-late", "no hazard; once the I/O is over the page goes to swap and comes back",
      drawing: LateLookHazard.drawing, guards: LateLookHazard.guards, needs: [.swap], settings: [.swap],
      memory: [.private, .swappable], losses: [.lostAfterSwap],
      raceObstacle: "nothing happens while the I/O is in flight", c: LateLookHazard.cFragment
    ) { _ throws(KernelError) in LateLookHazard() },
    Scenario(
      "cold", "MADV_COLD, which makes reclaim take the page first", drawing: ColdHazard.drawing,
      guards: ColdHazard.guards, needs: [.madviseCold, .pageFrames], memory: [.private, .swappable],
      isRacedUnasked: true, c: ColdHazard.cFragment
    ) { _ throws(KernelError) in ColdHazard() },
    Scenario(
      "madv-free", "MADV_FREE and reclaim, which may drop the page until it is written to",
      drawing: MadvFreeHazard.drawing, guards: MadvFreeHazard.guards, needs: [.pageMap],
      memory: [.private, .swappable, .anonymous], losses: [.lostRead, .zeroed, .torn],
      raceObstacle: "the page may go by right before the I/O takes it, with the bytes beside the I/O's, and "
        + "once the I/O lets it go, with its data; no time stamp tells these moments",
      c: MadvFreeHazard.cFragment
    ) { _ throws(KernelError) in MadvFreeHazard() },
    Scenario(
      "madv-dontneed", "MADV_DONTNEED: zeros are right, and nobody else may get the page",
      drawing: MadvDontneedHazard.drawing, guards: MadvDontneedHazard.guards, needs: [.pageFrames],
      memory: [.private, .divisible], losses: [.leakedElsewhere],
      raceObstacle: "what a store that runs free leaves is not defined",
      withoutC: "zeros are right after it, and programs look for what was read"
    ) { _ throws(KernelError) in try MadvDontneedHazard() },
  ]

  /// What puts another frame behind the address.
  private static let replacements: [Scenario] = [
    Scenario(
      "move_pages", "migration to another NUMA node", drawing: MovePagesHazard.drawing,
      guards: [.migrationCounts], needs: [.twoNodes, .pageFrames], settings: Migration.settings,
      isRacedUnasked: true, c: MovePagesHazard.cFragment, runsFree: true
    ) { _ throws(KernelError) in MovePagesHazard() },
    Scenario(
      "swap-in-move",
      "a page of the swap cache is migrated, and the read's page fault brings it back",
      steps: quietBeforehand, drawing: SwapInMoveHazard.drawing, guards: SwapInMoveHazard.guards,
      needs: [.twoNodes, .pageFrames, .swap], settings: Migration.settings + [.swap],
      memory: [.private, .swappable, .sharedOnSwap],
      losses: [.lostRead, .torn, .stale, .foreign, .zeroed, .leakedToChild, .pagesLeaked],
      withoutC: "it needs memory that a child has brought back from swap, and programs make none"
    ) { depth throws(KernelError) in try SwapInMoveHazard(depth: depth) },
    Scenario(
      "mbind", "mbind(MPOL_MF_MOVE) to another NUMA node", drawing: MbindHazard.drawing,
      guards: [.migrationCounts], needs: [.twoNodes, .pageFrames], settings: Migration.settings,
      c: MbindHazard.cFragment
    ) { _ throws(KernelError) in MbindHazard() },
    Scenario(
      "migrate_pages", "migrate_pages: all of the process leaves a NUMA node",
      drawing: MigratePagesHazard.drawing, guards: [.migrationCounts], needs: [.twoNodes, .pageFrames],
      settings: Migration.settings, c: MigratePagesHazard.cFragment
    ) { _ throws(KernelError) in MigratePagesHazard() },
    Scenario(
      "cpuset-mems", "the process's cgroup is told to use another NUMA node", drawing: CpusetHazard.drawing,
      guards: [.migrationCounts], needs: [.twoNodes, .pageFrames, .movingCpuset],
      settings: CpusetHazard.settings,
      withoutC: "it needs a cgroup of its own, and makes none"
    ) { _ throws(KernelError) in try CpusetHazard() },
    Scenario(
      "numa-balancing", "NUMA balancing moves the page to the node of a thread that loads from it",
      drawing: NUMABalancingHazard.drawing, guards: NUMABalancingHazard.guards,
      needs: [.twoNodes, .twoCPUs, .pageFrames, .numaBalancing], settings: NUMABalancingHazard.settings,
      raceObstacle: "the scheduler acts after a time of its own, longer than any I/O that runs free",
      withoutC: "the scheduler decides when, and a program can't wait for it and hold the I/O"
    ) { _ throws(KernelError) in try NUMABalancingHazard() },
    Scenario(
      "soft-offline", "the frame is taken out of use, and the page moves", drawing: SoftOfflineHazard.drawing,
      guards: [.migrationCounts], needs: [.softOffline, .pageFrames],
      raceObstacle: "each trial costs frames for good",
      withoutC: "each trial costs frames for good"
    ) { _ throws(KernelError) in SoftOfflineHazard() },
    Scenario(
      "compaction", "memory compaction, on demand", drawing: CompactionHazard.drawing,
      guards: [.migrationCounts], needs: [.compaction, .pageFrames],
      settings: CompactionHazard.settings, memory: [.anonymous, .mergeable],
      withoutC: "it takes thousands of other pages with gaps between them"
    ) { _ throws(KernelError) in try CompactionHazard() },
    Scenario(
      "ksm", "KSM merges the page with a twin", drawing: KSMHazard.drawing, guards: KSMHazard.guards,
      needs: [.ksm, .pageFrames], settings: KSMDaemon.settings, memory: [.mergeable],
      losses: mergeLosses, raceObstacle: neverTheSame, c: KSMHazard.cFragment, runsFree: true
    ) { depth throws(KernelError) in KSMHazard(depth: depth) },
    Scenario(
      "ksm-swap", "the page goes to swap and comes back by a read, then KSM merges it; no store",
      steps: .held(.none, hazards: 2), drawing: KSMSwapHazard.drawing, guards: KSMSwapHazard.guards,
      needs: [.ksm, .pageFrames, .swap], settings: KSMDaemon.settings + [.swap],
      memory: [.mergeable, .swappable], losses: mergeLosses.union([.lostAfterSwap]),
      raceObstacle: neverTheSame, c: KSMSwapHazard.cFragment,
      then: [merge]
    ) { _ throws(KernelError) in PageoutHazard() },
    Scenario(
      "ksm-existing", "KSM merges the page into one that it shares already",
      drawing: KSMExistingHazard.drawing, guards: KSMExistingHazard.guards, needs: [.ksm, .pageFrames],
      settings: KSMDaemon.settings, memory: [.mergeable], losses: mergeLosses,
      raceObstacle: neverTheSame, c: KSMExistingHazard.cFragment
    ) { depth throws(KernelError) in KSMExistingHazard(depth: depth) },
    Scenario(
      "ksm-zero", "KSM maps the zero page in place of a page of zeros", drawing: KSMZeroHazard.drawing,
      guards: KSMZeroHazard.guards, needs: [.ksm, .pageFrames], settings: KSMZeroHazard.settings,
      memory: [.mergeable, .zeroed], losses: mergeLosses, raceObstacle: neverTheSame,
      c: KSMZeroHazard.cFragment
    ) { _ throws(KernelError) in KSMZeroHazard() },
    Scenario(
      "ksm-cgroups",
      "KSM merges the page with a twin that another memory cgroup pays for, and the group ends",
      drawing: KSMCgroupsHazard.drawing, guards: KSMCgroupsHazard.guards,
      needs: [.ksm, .pageFrames, .memoryCgroup, .pageCgroups], settings: KSMCgroupsHazard.settings,
      memory: [.mergeable], losses: mergeLosses.union([.lostAfterMerge]), raceObstacle: neverTheSame,
      withoutC: "it needs a memory cgroup of its own, and makes none"
    ) { depth throws(KernelError) in try KSMCgroupsHazard(depth: depth) },
    Scenario(
      "ksm-unmerge", "MADV_UNMERGEABLE, on a page that KSM shared before the I/O",
      drawing: KSMUnmergeHazard.drawing, guards: KSMUnmergeHazard.guards, needs: [.ksm, .pageFrames],
      settings: KSMDaemon.settings, memory: [.merged], raceObstacle: neverTheSame,
      c: KSMUnmergeHazard.cFragment
    ) { _ throws(KernelError) in KSMUnmergeHazard() },
    Scenario(
      "thp-split", "page tables instead of a PMD map the huge page", drawing: THPSplitHazard.drawing,
      guards: THPSplitHazard.guards, needs: [.pageFrames], memory: [.huge], c: THPSplitHazard.cFragment
    ) { _ throws(KernelError) in THPSplitHazard() },
    Scenario(
      "thp-collapse", "MADV_COLLAPSE: a huge page takes the place of base pages",
      drawing: THPCollapseHazard.drawing, guards: THPCollapseHazard.guards,
      needs: [.madviseCollapse, .pageFrames], memory: [.collapsible], c: THPCollapseHazard.cFragment
    ) { _ throws(KernelError) in THPCollapseHazard() },
    Scenario(
      "khugepaged", "khugepaged: a huge page takes the place of base pages",
      drawing: KhugepagedHazard.drawing,
      guards: KhugepagedHazard.guards, needs: [KhugepagedHazard.need, .pageFrames],
      settings: KhugepagedHazard.settings, memory: [.collapsible],
      raceObstacle: "khugepaged passes after a time of its own, longer than any I/O that runs free",
      withoutC: "export thp-collapse, which asks the same guards at once"
    ) { _ throws(KernelError) in KhugepagedHazard() },
  ]

  /// Ways to fork, or nearly, that must lose nothing; and one that is not made worse by what comes first.
  private static let waysOut: [Scenario] = [
    Scenario(
      "mprotect-then-fork", "mprotect to read-only and back, then fork; the child exits at once",
      drawing: MprotectHazard.drawing, guards: ForkHazard.guards, memory: [.private, .divisible],
      raceObstacle: readOnlyFails, c: MprotectHazard.cThenFork, then: [forkAndExit]
    ) { _ throws(KernelError) in MprotectHazard() },
    Scenario(
      "madvise-dontfork-fork", "MADV_DONTFORK, then fork; the child exits at once and never has the page",
      drawing: ForkAdviceHazard.drawing, guards: ForkAdviceHazard.guards, memory: [.private, .divisible],
      isRacedUnasked: true, c: ForkAdviceHazard.cFragment
    ) { depth throws(KernelError) in try ForkAdviceHazard(depth: depth) },
    Scenario(
      "madvise-wipeonfork-fork", "MADV_WIPEONFORK, then fork; the child exits at once and has zeros",
      drawing: ForkAdviceHazard.drawing, guards: ForkAdviceHazard.guards,
      memory: [.anonymous, .mergeable], c: ForkAdviceHazard.cWipe
    ) { depth throws(KernelError) in try ForkAdviceHazard(depth: depth, wipes: true) },
    Scenario(
      "vfork", "vfork; the child exits at once", drawing: VforkHazard.drawing, guards: VforkHazard.guards,
      c: VforkHazard.cFragment(spawns: false)
    ) { _ throws(KernelError) in VforkHazard(spawns: false) },
    Scenario(
      "posix_spawn", "posix_spawn of a program that exits at once", drawing: VforkHazard.drawing,
      guards: VforkHazard.guards, c: VforkHazard.cFragment(spawns: true)
    ) { _ throws(KernelError) in VforkHazard(spawns: true) },
  ]

  /// The sentence that this suite is for: direct readers, a fork, migration, KSM and reclaim, all at once.
  private static let together: [Scenario] = [
    Scenario(
      "combined", "several direct readers, while fork, move_pages, KSM and MADV_PAGEOUT act all at once",
      drawing: combinedDrawing,
      guards: ForkHazard.guards + [.migrationCounts] + KSMHazard.guards + PageoutHazard.guards,
      needs: [.pageFrames],
      settings: Migration.settings + KSMDaemon.settings.map(\.wished) + [.swap],
      memory: [.mergeable, .swappable], losses: mergeLosses.union([.lostAfterSwap]),
      isRacedUnasked: true,
      agents: [
        Agent("fork", make: forkAndExit),
        Agent("move_pages", needs: [.twoNodes]) { _ throws(KernelError) in MovePagesHazard() },
        Agent("ksm", needs: [.ksm], make: merge),
        Agent("pageout", needs: [.swap]) { _ throws(KernelError) in PageoutHazard() },
      ], withoutC: manyThreads, hazard: forkAndExit),
    Scenario(
      "recipe-2008",
      "the recipe of 2008 to the letter: 512 bytes of 0xff read over zeros, one-byte stores, forks",
      drawing: recipeDrawing, guards: ForkHazard.guards, needs: [.pageFrames],
      memory: [.mergeable, .swappable],
      isRacedUnasked: true,
      agents: [Agent("fork", make: forkAndExit)], isLiteral: true, withoutC: manyThreads,
      hazard: forkAndExit),
    Scenario(
      "move_pages-always", "memory is migrated back and forth all the time, and nobody stores to it",
      steps: .held(.none), drawing: MovePagesHazard.drawing, guards: [.migrationCounts],
      needs: [.twoNodes, .pageFrames], settings: Migration.settings, memory: [.mergeable, .swappable],
      isRacedUnasked: true,
      agents: [Agent("move_pages") { _ throws(KernelError) in MovePagesHazard() }], withoutC: manyThreads
    ) { _ throws(KernelError) in MovePagesHazard() },
  ]

  /// The hazard comes before the I/O, which meets what it left; nobody stores.
  private static let quietBeforehand: [Step] = [
    .attach, .hazard(0), .issue, .touch(.none), .release, .reap,
  ]
  private static let manyThreads = "it is many threads at once; export one of its hazards as a race"

  private static let recipeDrawing = """
    reader                        kernel                       forker / store thread
    512 bytes of buf are 0
    read(fd, buf, 512) -------->  takes P1 behind buf
                                                               fork(): P1 shared, write-protected
                                                               a byte of buf's page: copy-on-write,
                                                               buf is P2, P1 is the child's
                                  512 bytes of 0xff into P1
    verify: buf is still 0: LOST READ
    """

  private static let combinedDrawing = """
    readers            fork          move_pages    ksmd          pageout       store        verifier
    read(p) read(q)    fork()        p to node 1   p its twin    p to swap     p, q         look at r
    |       |          store to p    p to node 0   q its twin    p back        p, q         look at r
    |       |          fork()        q to node 1   ...           store to p    p, q         look at s
    p, q over: each is looked at, over and over, until it is read again
    """

  private static let hazards = forks + protections + replacements + waysOut + paths + together

  private static let mergeLosses: Set<Damage.Kind> = [.lostRead, .torn, .leakedElsewhere]
  private static let readOnlyFails = "an I/O that comes for the page while it is read-only fails with EFAULT"
  private static let neverTheSame =
    "ksmd comes by in tens of milliseconds, when an I/O that runs free is over, and a page that is stored to is "
    + "never the same as its twin"

  private static let merge: HazardMaker = { depth throws(KernelError) in KSMHazard(depth: depth) }

  private static let forkAndExit: HazardMaker = { depth throws(KernelError) in
    try ForkHazard(.exits, depth: depth)
  }

  private static func fork(
    _ name: String, _ summary: String, _ child: ForkHazard.Child, steps: [Step] = .held(),
    needs: [Need] = [], c: CFragment? = nil,
    engine: Set<EngineKind.Trait> = [], losses: Set<Damage.Kind> = [.lostRead, .torn]
  ) -> Scenario {
    Scenario(
      name, summary, steps: steps, drawing: ForkHazard.drawing,
      guards: child == .writes ? ForkHazard.guardsOfChildStore : ForkHazard.guards, needs: needs,
      memory: [.private],
      engine: engine,
      losses: losses,
      raceObstacle: steps == .held() ? nil : "its steps have an order that a race does not keep",
      isRacedUnasked: true,
      c: c ?? ForkHazard.cFragment(child), runsFree: child == .exits
    ) { depth throws(KernelError) in try ForkHazard(child, depth: depth) }
  }

  /// One write control a kind of hazard: the steps without a write's meaning are left out.
  private var hasWriteControl: Bool {
    direction == .read && steps == .held() && makeHazards.count == 1 && !isFreeOnly
  }
}
