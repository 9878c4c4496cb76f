import TestHost
import Testing

@testable import Repro

/// What every part must do, whatever it is: a new line of a table is tested here without being named.
@Suite(
  "Every part", .serialized, .exclusive, .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
struct EveryPartTests {
  /// Runs `selection` on this machine with its settings made and undone.
  private func run(_ selection: Selection, depth: Int = 1) throws -> RecordingObserver {
    let folder = try TemporaryFolder()
    let state = try HostState(folder: folder("journal"), allowed: Setting.files)
    defer { state.close() }
    var plan = Plan(selection, seed: Seed(5))
    plan.trials = 4
    plan.depth = depth
    let observer = RecordingObserver()
    _ = try Campaign(plan, hostState: state, observer: observer).run(.default)
    return observer
  }

  private func name(
    _ scenario: String = "control-none", memory: String = "anon", engine: String = "pread",
    target: String = "held", schedule: Schedule = .staged
  ) -> CaseName {
    CaseName(scenario: scenario, memory: memory, engine: engine, target: target, schedule: schedule)
  }

  /// Both controls and a quiet case, shallow and deep: silent where nothing is done, firing where a page is
  /// replaced. What is missing here is said.
  private func requireControls(_ name: CaseName) throws {
    for depth in [1, 5] {
      let observer = try run(Selection(name), depth: depth)
      guard let control = observer.controls.first else {
        #expect(depth > 1, "left out: \(name)")
        continue
      }
      if observer.results.first?.verdict == .skipped {
        #expect(control.reason?.isEmpty == false)
        continue
      }
      #expect(control.isSound, "\(name) at depth \(depth): \(control.reason ?? "")")
      #expect(control.fired == control.trials && control.quietLosses == 0)
      #expect(observer.results.map(\.verdict) == [.clean], "\(observer.results)")
    }
  }

  @Test(
    "memory is proved, fires when it is replaced, and is silent else", arguments: MemoryKind.all.map(\.name))
  func memory(_ memory: String) throws { try requireControls(name(memory: memory)) }

  @Test(
    "an engine brings all data, and loses what a replaced page loses", arguments: EngineKind.all.map(\.name))
  func engine(_ engine: String) throws { try requireControls(name(engine: engine)) }

  @Test(
    "a held target holds and lets go",
    arguments: TargetKind.all.filter { $0.schedules.contains(.staged) }.map(\.name))
  func target(_ target: String) throws { try requireControls(name(target: target)) }

  @Test(
    "a held target is aligned as its kind says",
    arguments: TargetKind.all.filter { $0.schedules.contains(.staged) && !$0.takesPath }.map(\.name))
  func alignment(name: String) throws {
    let kind = try #require(TargetKind.named(name))
    if kind.obstacle != nil { return }  // what is missing here is said by the case that needs it
    let target = try kind.make(TargetSpec(kind), Pattern(seed: 1))
    defer { target.close() }
    #expect(target.alignment == kind.alignment)
  }

  @Test(
    "a scenario runs or says what is missing",
    arguments: Scenario.all.filter { !$0.isWriteControl }.map(\.name))
  func scenario(_ scenario: String) throws {
    let engine = Scenario.named(scenario)?.engine.isEmpty == false ? "io_uring-fixed" : "pread"
    let memory = Scenario.named(scenario)?.usualMemory.name ?? "anon"
    let one = try #require(Scenario.named(scenario))
    // What needs a page cache, or writes that wait, has it on a file.
    let needsFile =
      one.isFreeOnly || one.caching != .none || one.direction == .write && !one.isLeftUnread
    let observer = try run(
      Selection(
        name(
          scenario, memory: memory, engine: engine, target: needsFile ? "scratch" : "held",
          schedule: one.isFreeOnly ? .free : .staged)))
    let result = try #require(observer.results.first)
    #expect(result.verdict != .error, "\(result.reason ?? "")")
    if result.verdict == .skipped || result.verdict == .inconclusive {
      #expect(result.reason?.isEmpty == false)
    }
    for trial in observer.trials where trial.isExposure && !trial.isLoss {
      // The late look, where swap is on, shows one more.
      let guards = trial.guards.filter { $0.key != Guard.ioMarksDirty.name || scenario == "none-late" }
      #expect(guards.values.reduce(0, +) == trial.inFlight, "an exposure names its guard")
      let named = Set(Scenario.named(scenario)?.guards.map(\.name) ?? []).union([Guard.none.name])
      #expect(Set(guards.keys).isSubset(of: named), "\(guards) are no guards of \(scenario)")
    }
  }

  @Test("parts say in one line what they are, and needs what is missing and the remedy")
  func words() {
    let parts: [any Part] = Scenario.all + MemoryKind.all + EngineKind.all + TargetKind.all
    for part in parts {
      #expect(!part.summary.isEmpty && !part.summary.contains("\n"))
      for need in part.needs {
        let missing = need.missing()
        #expect(missing?.contains("\n") != true && missing?.isEmpty != true, "\(need.name)")
      }
    }
  }

  @Test("settings change only files of the kernel")
  func settings() {
    #expect(!Setting.files.isEmpty)
    let folders = ["/sys/kernel/mm/", "/proc/sys/", "/sys/kernel/debug/sched/"]
    #expect(Setting.files.allSatisfy { path in folders.contains { path.hasPrefix($0) } })
  }
}
