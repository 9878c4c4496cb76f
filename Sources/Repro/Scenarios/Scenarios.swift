extension Scenario {
  /// The positive control, which every run begins with.
  public static let control = Scenario(
    "control-remap", "positive control: user space replaces the page, as a buggy kernel would",
    drawing: RemapHazard.drawing, c: RemapHazard.cFragment
  ) { _ throws(KernelError) in RemapHazard() }

  /// Every scenario, in the order of runs. A new hazard is a new line here.
  public static let all: [Scenario] = [control, negativeControl] + hazards + hazards.map(\.writeControl)

  /// What a run without names takes: all but the positive control, which it begins with anyway.
  public static var standard: [Scenario] { all.filter { $0.name != control.name } }

  private static let negativeControl = Scenario(
    "control-none", "negative control: the same trial without any hazard", c: NoHazard.cFragment
  ) { _ throws(KernelError) in NoHazard() }

  private static let hazards: [Scenario] = [
    Scenario(
      "fork", "fork; the child exits at once", drawing: ForkHazard.drawing, c: ForkHazard.cFragment(.exits)
    ) { size throws(KernelError) in try ForkHazard(.exits, pageSize: size) },
    Scenario(
      "fork-child-stays", "fork; the child lives until after the I/O", drawing: ForkHazard.drawing,
      c: ForkHazard.cFragment(.stays)
    ) { size throws(KernelError) in try ForkHazard(.stays, pageSize: size) },
    Scenario(
      "fork-child-reads", "fork; the child reads the page and must not see the data arrive",
      drawing: ForkHazard.drawing, c: ForkHazard.cFragment(.reads)
    ) { size throws(KernelError) in try ForkHazard(.reads, pageSize: size) },
    Scenario(
      "mprotect", "mprotect to read-only and back", drawing: MprotectHazard.drawing,
      raceObstacle: "a store thread that runs free would fault while the page is read-only",
      c: MprotectHazard.cFragment
    ) { _ throws(KernelError) in MprotectHazard() },
    Scenario(
      "soft-dirty", "clear_refs 4, as a checkpoint does", drawing: SoftDirtyHazard.drawing,
      needs: [.softDirty], c: SoftDirtyHazard.cFragment
    ) { _ throws(KernelError) in SoftDirtyHazard() },
    Scenario(
      "pageout", "MADV_PAGEOUT and back through the swap cache", drawing: PageoutHazard.drawing,
      needs: [.swap], settings: [.swap], c: PageoutHazard.cFragment
    ) { _ throws(KernelError) in PageoutHazard() },
    Scenario(
      "move_pages", "migration to another NUMA node", drawing: MovePagesHazard.drawing, needs: [.twoNodes],
      settings: [.file("/proc/sys/kernel/numa_balancing", "0", isRequired: false)],
      c: MovePagesHazard.cFragment
    ) { _ throws(KernelError) in MovePagesHazard() },
    Scenario(
      "ksm", "KSM merges the page with a twin", drawing: KSMHazard.drawing, needs: [.ksm, .pageFrames],
      settings: KSMHazard.settings,
      raceObstacle: "a page that is stored to all the time is never the same as its twin",
      c: KSMHazard.cFragment
    ) { _ throws(KernelError) in KSMHazard() },
  ]
}
