import CKernel
import Glibc

/// Carries out a plan: a lane's controls before its first case, then case by case, each with its verdict.
///
/// The order is what makes a verdict believable: if a lane's controls do not do what they must, its cases
/// are errors, never clean.
public final class Campaign {
  /// What the program calls itself in reports.
  public static let version = "0.1.0"

  private let plan: Plan
  private let cases: [Case]
  private let excluded: [(case: Case, reason: String)]
  private let hostState: HostState?
  private let leftovers: [String]
  private let observer: any Observer
  private let next: (() -> Int?)?
  private let leavesHost: Bool
  private let runner: CaseRunner
  private let kernel = KernelVersion.running
  private let start = Clock.now
  private var results: [CaseResult] = []

  /// A campaign of `plan`.
  /// - Parameters:
  ///   - hostState: undoes what parts change on the host; nil when nothing may be changed.
  ///   - share: what of the plan's cases is this campaign's; nil for all.
  /// - Throws: SelectionError for a scenario that nobody knows.
  public convenience init(
    _ plan: Plan, hostState: HostState?, leftovers: [String] = [], observer: any Observer,
    share: CaseShare? = nil
  ) throws(SelectionError) {
    let scenarios = try plan.selection.chosenScenarios()
    self.init(
      plan, hostState: hostState, leftovers: leftovers, observer: observer, scenarios: scenarios, share: share
    ) {
      kind, depth throws(KernelError) in try kind.make(depth)
    }
  }

  init(
    _ plan: Plan, hostState: HostState?, leftovers: [String] = [], observer: any Observer,
    scenarios: [Scenario], share: CaseShare? = nil,
    makeEngine: @escaping EngineMaker
  ) {
    self.plan = plan
    self.hostState = hostState
    self.leftovers = leftovers
    self.observer = observer
    let whole = plan.selection.expand(scenarios, depth: plan.depth)
    (cases, excluded) = (share?.cases ?? whole.cases, whole.excluded)
    next = share?.next
    leavesHost = share?.leavesHost ?? false
    runner = CaseRunner(
      plan: plan, targets: TargetPool(pattern: Pattern(seed: plan.seed.value)), makeEngine: makeEngine)
    hostState?.swapPlace = plan.swapPlace
  }

  /// Runs everything and reports it.
  /// - Parameter exitCodes: the dialect whose rule makes one verdict of many.
  /// - Throws: TargetError or SwapError when the plan names a target, or a place for swap, that can't be used;
  ///   nothing has run then.
  public func run(_ exitCodes: ExitCodes) throws -> RunEnd {
    try runner.targets.openShared(cases)
    defer { runner.targets.closeShared() }
    try makeSwap()
    observer.receive(.run(RunStart(plan, cases.map(\.name))))
    for leftover in leftovers { note(Self.note(ofLeftover: leftover)) }
    // What was asked for by name and means nothing is said; the rest is in `repro list --why-not`.
    if cases.isEmpty { for one in excluded { note("left out: \(one.case.name): \(one.reason)") } }
    let lanes = prepareLanes()
    if let next {
      while let index = next() { run([cases[index]], lanes) }
    } else {
      for group in groups() { run(group, lanes) }
    }
    if !leavesHost { hostState?.undoAll() }
    let idle = cases.isEmpty ? plan.selection.shard.map { "no case falls to shard \($0)" } : nil
    let end = RunEnd(
      verdict: cases.isEmpty && (idle != nil || !excluded.isEmpty)
        ? .skipped : exitCodes.overall(results.map(\.verdict)),
      reason: cases.isEmpty
        ? idle ?? excluded.first?.reason : results.first { $0.verdict == .error }?.reason,
      interruptedBy: interruption, seconds: Double(Clock.now - start) / 1e9)
    observer.receive(.end(end))
    return end
  }

  static func note(ofLeftover text: String) -> String { "put back what a killed run had left: \(text)" }

  /// Where somebody chose a place for swap, it is there for the whole run: every case gets its late look. Of several
  /// jobs, the one before them has made it.
  private func makeSwap() throws(SwapError) {
    guard next == nil, let place = plan.swapPlace else { return }
    do throws(SwapError) {
      guard let hostState else { throw .noRight }
      try hostState.makeSwap(at: place)
    } catch {
      if !place.isOptional { throw error }
    }
  }

  private func note(_ text: String) { observer.receive(.note(Note(text))) }

  private var interruption: Int32? { Interrupts.signal }

  // MARK: Lanes

  /// Looks for what the parts of all lanes need, makes their settings, and runs their controls.
  /// - Returns: what keeps a lane's cases from running.
  private func prepareLanes() -> [Lane: Controls.Obstacle] {
    var obstacles: [Lane: Controls.Obstacle] = [:]
    var seen: Set<Lane> = []
    let controls = Controls(runner: runner) { self.interruption != nil }
    for lane in cases.map(\.lane) where interruption == nil && seen.insert(lane).inserted {
      if let obstacle = obstacle(of: lane.parts) {
        var result = ControlResult(lane)
        result.reason = obstacle.reason
        obstacles[lane] = obstacle
        observer.receive(.control(result))
        continue
      }
      let (result, obstacle) = controls.run(lane)
      obstacles[lane] = obstacle
      observer.receive(.control(result))
    }
    return obstacles
  }

  /// What `parts` lack here; makes their settings if that is nothing.
  private func obstacle(of parts: [any Part]) -> Controls.Obstacle? {
    if let missing = parts.lazy.compactMap(\.obstacle).first {
      return Controls.Obstacle(verdict: .skipped, reason: missing)
    }
    let settings = parts.flatMap(\.settings)
    guard let hostState else {
      return settings.contains { $0.policy == .skip }
        ? Controls.Obstacle(verdict: .skipped, reason: "settings of the host may not be changed: run as root")
        : nil
    }
    do throws(SettingError) {
      try hostState.apply(settings)
      return nil
    } catch {
      return Controls.Obstacle(verdict: error.isSkip ? .skipped : .error, reason: "\(error)")
    }
  }

  // MARK: Cases

  /// The cases, a scenario at a time, since a scenario's settings serve all of its cases.
  private func groups() -> [[Case]] {
    var groups: [[Case]] = []
    for one in cases {
      if groups.last?.first?.scenario.name == one.scenario.name {
        groups[groups.count - 1].append(one)
      } else {
        groups.append([one])
      }
    }
    return groups
  }

  private func run(_ group: [Case], _ lanes: [Lane: Controls.Obstacle]) {
    let mark = hostState?.mark ?? 0
    defer { hostState?.undo(to: mark) }
    let groupObstacle = interruption == nil ? obstacle(of: [group[0].scenario]) : nil
    for one in group {
      let obstacle =
        lanes[one.lane] ?? groupObstacle
        ?? interruption.map { Controls.Obstacle(verdict: .skipped, reason: "stopped by signal \($0)") }
      let result = obstacle.map { self.result(one, CaseCount(), $0.verdict, $0.reason) } ?? run(one)
      results.append(result)
      observer.receive(.result(result))
    }
  }

  private func run(_ one: Case) -> CaseResult {
    let limits = plan.limits(one.schedule)
    var last = CaseCount()
    do {
      let count = try runner.run(one, limits, numbers: plan.trialNumbers) { record, count in
        last = count
        if one.schedule == .staged || record.isLoss { self.observer.receive(.trial(record)) }
        self.progress(one, count, limits)
        return self.interruption == nil
      }
      var (verdict, reason) = count.verdict(atLeast: plan.minimumExposures(one.schedule))
      if let interruption, verdict == .clean {
        (verdict, reason) = (.inconclusive, "stopped by signal \(interruption) after \(count.trials) trials")
      }
      if verdict == .inconclusive, let evidence = count.evidence {
        reason = "\(reason ?? ""); last: \(evidence)"
      }
      return result(one, count, verdict, reason)
    } catch TargetError.missing(let reason) {
      return result(one, last, .skipped, reason)
    } catch {
      // A harness that broke after a proven loss has still proven it.
      return result(one, last, last.lostTrials > 0 ? .corrupt : .error, "\(error)")
    }
  }

  private func result(_ one: Case, _ count: CaseCount, _ verdict: Verdict, _ reason: String?) -> CaseResult {
    let target = count.trials == 0 ? nil : runner.targets.description(of: one.target)
    let path = target.map { one.path(on: $0.path) }
    var result = CaseResult(
      case: one.name, role: one.scenario.role, depth: plan.depth, opened: target?.name, path: path,
      verdict: verdict, reason: reason, count: count,
      bugs: verdict == .corrupt && count.unexplained < count.lostTrials ? bugs(one.name, path) : [])
    result.bound(confidence: plan.confidence)
    return result
  }

  private func bugs(_ name: CaseName, _ path: IOPath?) -> [String] {
    guard let path, let kernel else { return [] }
    return Catalogue.standard.bugs(name, path).filter { $0.affects(kernel) != false }.map(\.id)
  }

  private func progress(_ one: Case, _ count: CaseCount, _ limits: CaseLimits) {
    let ofTrials = Double(count.trials) / Double(max(1, limits.trials))
    let ofTime = count.seconds / limits.seconds
    let here = min(1, max(ofTrials, ofTime))
    observer.progress(
      fraction: (Double(results.count) + here) / Double(max(1, cases.count)), case: one.name)
  }
}

/// What one of several campaigns has of a plan's cases.
public struct CaseShare {
  /// Those whose lanes' controls it runs.
  var cases: [Case]
  /// The index of the case to run next, and nil when others have taken all; nil where it runs all of them.
  var next: (() -> Int?)?
  /// Whether what its lanes need of the host stays so until the supervisor puts it back, for campaigns that follow: a
  /// single one would have it all along. With swap on, every trial has its late look.
  var leavesHost = false
}

extension RunStart {
  /// A run of `plan` on this machine.
  package init(_ plan: Plan, _ cases: [CaseName]) {
    var names = utsname()
    uname(&names)
    func text<T>(_ field: T) -> String {
      withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    self.init(
      version: Campaign.version, suite: SuiteFingerprint.own, release: text(names.release),
      build: text(names.version), machine: text(names.machine), pageSize: kernelPageSize,
      processors: sysconf(CInt(_SC_NPROCESSORS_ONLN)), plan: plan, cases: cases)
  }
}
