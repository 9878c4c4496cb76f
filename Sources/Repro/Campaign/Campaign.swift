import CKernel
import Glibc

/// Watches a run.
public protocol Observer: AnyObject {
  /// Something happened that belongs in the report.
  func receive(_ event: Event)
  /// `fraction` (0 to 1) of the run is done; `cell` is running.
  func progress(fraction: Double, cell: String)
}

/// Carries out a plan: controls first, then cell by cell, each with its verdict.
///
/// The order is what makes a verdict believable: the positive control of an engine and schedule
/// runs before its cells, and if it does not fire they are errors, never clean.
public final class Campaign {
  /// What the program calls itself in reports.
  public static let version = "0.1.0"

  private let plan: Plan
  private let cells: [Cell]
  private let hostState: HostState?
  private let observer: any Observer
  private let makeEngine: @Sendable (EngineKind) throws(KernelError) -> any Engine
  private let kernel: KernelVersion?
  private let start = Clock.now
  private var results: [CellResult] = []

  /// A campaign of `plan`.
  /// - Parameters:
  ///   - hostState: undoes what scenarios change on the host; nil when nothing may be changed.
  public convenience init(_ plan: Plan, hostState: HostState?, observer: any Observer) {
    self.init(plan, hostState: hostState, observer: observer, scenarios: Scenario.all) {
      kind throws(KernelError) in try kind.make()
    }
  }

  init(
    _ plan: Plan, hostState: HostState?, observer: any Observer, scenarios: [Scenario],
    makeEngine: @escaping @Sendable (EngineKind) throws(KernelError) -> any Engine
  ) {
    self.plan = plan
    self.hostState = hostState
    self.observer = observer
    self.makeEngine = makeEngine
    cells = plan.scenarios.compactMap { name in scenarios.first { $0.name == name } }.flatMap { scenario in
      plan.schedules.flatMap { schedule in
        plan.engines.map { Cell(scenario: scenario, engine: $0, schedule: schedule) }
      }
    }
    hostState?.swapDevice = plan.swapDevice
    kernel = KernelVersion.running
  }

  /// Runs everything and reports it.
  /// - Parameter exitCodes: the dialect whose rule makes one verdict of many.
  /// - Throws: TargetError when the plan names a target that can't be used; nothing has run then.
  public func run(_ exitCodes: ExitCodes) throws(TargetError) -> RunEnd {
    let scratch = try openScratch()
    defer { scratch?.target?.close() }
    observer.receive(.run(runStart()))
    for leftover in hostState?.leftovers ?? [] {
      note("put back what a killed run had left: \(leftover)")
    }
    let obstacles = controls(scratch)
    for scenario in groups() { run(scenario, scratch, obstacles) }
    let end = RunEnd(
      verdict: exitCodes.overall(results.map(\.verdict)),
      reason: results.first { $0.verdict == .error }?.reason,
      interruptedBy: interruption, seconds: Double(Clock.now - start) / 1e9)
    observer.receive(.end(end))
    return end
  }

  private func note(_ text: String) { observer.receive(.note(Note(text))) }

  private var interruption: Int32? { Interrupts.signal }

  private func runStart() -> RunStart {
    var names = utsname()
    uname(&names)
    func text<T>(_ field: T) -> String {
      withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return RunStart(
      version: Self.version, release: text(names.release), build: text(names.version),
      machine: text(names.machine), pageSize: kernelPageSize, processors: sysconf(CInt(_SC_NPROCESSORS_ONLN)),
      plan: plan, cells: cells.map(\.name))
  }

  // MARK: Targets

  /// The race schedule's target, or why there is none.
  private struct Scratch {
    var target: ScratchFile?
    var obstacle: String?
  }

  private func openScratch() throws(TargetError) -> Scratch? {
    guard cells.contains(where: { $0.schedule == .race && $0.scenario.raceObstacle == nil }) else {
      return nil
    }
    do throws(TargetError) {
      let file = try ScratchFile(
        path: plan.target ?? Plan.standardTarget, overwrite: plan.overwrite, length: RaceCalibration.longest,
        pattern: Pattern(seed: plan.seed.value))
      return Scratch(target: file)
    } catch {
      // Only a target that somebody named is somebody's mistake.
      if plan.target != nil && !plan.isTargetOptional { throw error }
      return Scratch(obstacle: "no target for the race: \(error)")
    }
  }

  // MARK: Controls

  private struct Obstacle {
    var verdict: Verdict
    var reason: String
  }

  private struct Lane: Hashable {
    var engine: EngineKind
    var schedule: Schedule
  }

  /// Runs the positive control of every engine and schedule in use.
  /// - Returns: what keeps the cells of a lane from running.
  private func controls(_ scratch: Scratch?) -> [Lane: Obstacle] {
    var obstacles: [Lane: Obstacle] = [:]
    var seen: Set<Lane> = []
    for cell in cells where cell.schedule == .staged || cell.scenario.raceObstacle == nil {
      let lane = Lane(engine: cell.engine, schedule: cell.schedule)
      guard seen.insert(lane).inserted, interruption == nil else { continue }
      let control = Cell(scenario: .control, engine: cell.engine, schedule: cell.schedule)
      // A staged control fires every time; a racing one needs an overlap first.
      let limits =
        cell.schedule == .staged
        ? CellLimits(trials: 3, seconds: 30) : CellLimits(trials: 2000, seconds: 10)
      var result = ControlResult(
        engine: cell.engine, schedule: cell.schedule, trials: 0, fired: 0, reason: nil, hasFired: false)
      do {
        let count = try trials(of: control, limits, nil, scratch) { record, _ in
          // What it must show is a lost read; other damage proves nothing about seeing those.
          let isSeen = record.damage.contains { $0.kind == .lostRead && $0.region == .io }
          result.fired += isSeen ? 1 : 0
          return self.interruption == nil && !(isSeen && cell.schedule == .race)
        }
        result.trials = count.trials
        result.hasFired = cell.schedule == .staged ? result.fired == count.trials : result.fired > 0
        if !result.hasFired {
          result.reason = "the positive control fired in \(result.fired) of \(count.trials) trials"
          obstacles[lane] = Obstacle(
            verdict: .error, reason: "\(result.reason ?? ""): this run can't see losses, nothing is known")
        }
      } catch let missing as Missing {
        result.reason = missing.reason
        obstacles[lane] = Obstacle(verdict: .skipped, reason: missing.reason)
      } catch {
        result.reason = "\(error)"
        obstacles[lane] = Obstacle(verdict: .error, reason: "the positive control failed: \(error)")
      }
      observer.receive(.control(result))
    }
    return obstacles
  }

  // MARK: Cells

  /// The cells, a scenario at a time, since a scenario's settings serve all of its cells.
  private func groups() -> [[Cell]] {
    var groups: [[Cell]] = []
    for cell in cells {
      if groups.last?.first?.scenario.name == cell.scenario.name {
        groups[groups.count - 1].append(cell)
      } else {
        groups.append([cell])
      }
    }
    return groups
  }

  private func run(_ group: [Cell], _ scratch: Scratch?, _ obstacles: [Lane: Obstacle]) {
    let scenario = group[0].scenario
    var groupObstacle = scenario.needs.lazy.compactMap { $0.missing() }.first.map {
      Obstacle(verdict: .skipped, reason: $0)
    }
    if groupObstacle == nil, interruption == nil, let hostState {
      do throws(KernelError) {
        try hostState.apply(scenario.settings)
      } catch {
        groupObstacle = Obstacle(verdict: .error, reason: "\(error)")
      }
    }
    defer { hostState?.undoAll() }
    for cell in group {
      let lane = Lane(engine: cell.engine, schedule: cell.schedule)
      let racing = cell.schedule == .race ? scenario.raceObstacle : nil
      let obstacle =
        racing.map { Obstacle(verdict: .skipped, reason: $0) } ?? obstacles[lane] ?? groupObstacle
        ?? interruption.map { Obstacle(verdict: .skipped, reason: "stopped by signal \($0)") }
      let result =
        obstacle.map { self.result(cell, CellCount(), $0.verdict, $0.reason) } ?? run(cell, scratch)
      results.append(result)
      observer.receive(.result(result))
    }
  }

  private func run(_ cell: Cell, _ scratch: Scratch?) -> CellResult {
    let limits = plan.limits(cell.schedule)
    var last = CellCount()
    do {
      let count = try trials(of: cell, limits, plan.trialNumbers, scratch) { record, count in
        last = count
        if cell.schedule == .staged || record.isLoss { self.observer.receive(.trial(record)) }
        self.progress(cell, count, limits)
        return self.interruption == nil
      }
      var (verdict, reason) = CellResult.judge(
        losses: count.losses, exposures: count.exposures, atLeast: plan.minimumExposures(cell.schedule))
      if let interruption, verdict == .clean {
        (verdict, reason) = (.inconclusive, "stopped by signal \(interruption) after \(count.trials) trials")
      }
      if verdict == .inconclusive, let evidence = count.evidence {
        reason = "\(reason ?? ""); last: \(evidence)"
      }
      return result(cell, count, verdict, reason, scratch)
    } catch let missing as Missing {
      return result(cell, last, .skipped, missing.reason)
    } catch {
      // A harness that broke after a proven loss has still proven it.
      return result(cell, last, last.losses > 0 ? .corrupt : .error, "\(error)", scratch)
    }
  }

  /// Why a cell can't run; not the harness's fault.
  private struct Missing: Error { var reason: String }

  private func trials(
    of cell: Cell, _ limits: CellLimits, _ numbers: [Int]?, _ scratch: Scratch?,
    _ afterTrial: @escaping (TrialRecord, CellCount) -> Bool
  ) throws -> CellCount {
    let runner = CellRunner(
      cell: cell, seed: plan.seed, limits: limits, numbers: numbers, makeEngine: makeEngine,
      afterTrial: afterTrial)
    switch cell.schedule {
    case .race:
      guard let target = scratch?.target else { throw Missing(reason: scratch?.obstacle ?? "no target") }
      return try runner.runRace(target)
    case .staged:
      // One CPU for all threads of the trial: a page that waits in another CPU's list of pages to
      // be put on the LRU can be neither reclaimed nor migrated, and a held I/O gains nothing by two.
      _ = ck_stay_on_cpu()
      defer { _ = ck_leave_cpu() }
      let target: any HoldingTarget
      do throws(KernelError) {
        target = try plan.held.make(Pattern(seed: plan.seed.value))
      } catch {
        throw Missing(reason: plan.held.remedy(error))
      }
      defer { target.close() }
      return try runner.runStaged(target)
    }
  }

  private func result(
    _ cell: Cell, _ count: CellCount, _ verdict: Verdict, _ reason: String?, _ scratch: Scratch? = nil
  ) -> CellResult {
    let path: IOPath? = count.trials == 0 ? nil : cell.schedule == .staged ? plan.held.path : .block
    return CellResult(
      cell: cell.name, scenario: cell.scenario.name, engine: cell.engine, schedule: cell.schedule,
      target: path == nil ? nil : cell.schedule == .staged ? plan.held.rawValue : scratch?.target?.name,
      path: path,
      verdict: verdict, reason: reason, trials: count.trials, exposures: count.exposures,
      losses: count.losses,
      upperBound: verdict == .clean
        ? Statistics.upperBound(exposures: count.exposures, confidence: plan.confidence) : nil,
      seconds: count.seconds, evidence: count.evidence,
      bugs: verdict == .corrupt ? bugs(cell.scenario.name, path) : [])
  }

  private func bugs(_ scenario: String, _ path: IOPath?) -> [String] {
    guard let path, let kernel else { return [] }
    return Catalogue.standard.bugs(scenario: scenario, path: path.rawValue)
      .filter { $0.affects(kernel) != false }.map(\.id)
  }

  private func progress(_ cell: Cell, _ count: CellCount, _ limits: CellLimits) {
    let ofTrials = Double(count.trials) / Double(max(1, limits.trials))
    let ofTime = count.seconds / limits.seconds
    let here = min(1, max(ofTrials, ofTime))
    observer.progress(fraction: (Double(results.count) + here) / Double(max(1, cells.count)), cell: cell.name)
  }
}

extension KernelVersion {
  /// The kernel that is running, as far as it tells.
  static var running: KernelVersion? {
    guard let release = try? KernelFile.read("/proc/sys/kernel/osrelease") else { return nil }
    return KernelVersion(release: release, procVersion: try? KernelFile.read("/proc/version"))
  }
}
