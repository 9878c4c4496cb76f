/// Makes one run of what several jobs tell: one start, each lane's controls once, and then case after case in the
/// plan's order, with one end.
///
/// So a report is as that of one worker, in every format. What comes before its turn is kept: trials of
/// few cases, since jobs take them in that order, and of those that ran alone before.
struct JobReport {
  private let plan: Plan
  private let order: [CaseName]
  private let observer: any Observer

  /// How many of `order` have been told.
  private var told = 0
  private var held: [CaseName: [Event]] = [:]
  /// What the trials of cases without a result came to so far.
  private var counts: [CaseName: CaseCount] = [:]
  private var results: [CaseResult] = []
  /// The jobs whose controls are not over.
  private var controlling: Set<Int>
  private var controls: [ControlResult] = []
  private var ends: [RunEnd] = []
  private let jobs: Int

  /// - Parameters:
  ///   - cases: all of the plan's, in its order.
  ///   - jobs: how many tell, with the one that has the cases which run alone.
  init(_ plan: Plan, _ cases: [CaseName], jobs: Int, observer: any Observer) {
    self.plan = plan
    self.jobs = jobs
    self.observer = observer
    order = cases
    controlling = Set(0..<jobs)
  }

  /// Tells that it begins.
  func start(_ notes: [String]) {
    observer.receive(.run(RunStart(plan, order)))
    for note in notes { observer.receive(.note(Note(note))) }
  }

  /// Takes what job number `job` tells.
  mutating func take(_ event: Event, from job: Int) {
    switch event {
    case .run: break
    case .note: observer.receive(event)
    case .control(let control): add(control)
    case .trial(let trial):
      counts[trial.case, default: CaseCount()].add(trial)
      put(event, trial.case, job)
    case .result(let result):
      counts[result.case] = nil
      put(event, result.case, job)
      observer.progress(
        fraction: Double(results.count + held.count) / Double(order.count), case: result.case)
    case .end(let end):
      ends.append(end)
      endControls(of: job)
    }
  }

  /// Ends it: all jobs have told what they had to.
  /// - Returns: nil when one did not get to its end. Then its case is an error, or corrupt if it had lost
  ///   data, and what else is there has been told; the run has no end.
  mutating func finish(_ exitCodes: ExitCodes, seconds: Double) -> RunEnd? {
    for job in controlling { endControls(of: job) }
    while told < order.count { giveUp(order[told]) }
    guard ends.count == jobs else { return nil }
    let end = RunEnd(
      verdict: exitCodes.overall(results.map(\.verdict)),
      reason: results.first { $0.verdict == .error }?.reason,
      interruptedBy: ends.lazy.compactMap(\.interruptedBy).first, seconds: seconds)
    observer.receive(.end(end))
    return end
  }

  private mutating func add(_ control: ControlResult) {
    if let index = controls.firstIndex(where: { $0.lane == control.lane }) {
      controls[index].add(control)
    } else {
      controls.append(control)
    }
  }

  private mutating func put(_ event: Event, _ name: CaseName, _ job: Int) {
    held[name, default: []].append(event)
    endControls(of: job)
  }

  /// A job's controls come before all else of it, and all controls before the first case.
  private mutating func endControls(of job: Int) {
    if controlling.remove(job) != nil, controlling.isEmpty {
      let lanes = order.map(\.lane)
      func place(_ control: ControlResult) -> Int { lanes.firstIndex(of: control.lane) ?? lanes.count }
      for control in controls.sorted(by: { place($0) < place($1) }) { observer.receive(.control(control)) }
    }
    if controlling.isEmpty { tell() }
  }

  /// Passes on what has its turn.
  private mutating func tell() {
    while told < order.count, let events = held.removeValue(forKey: order[told]) {
      let before = told
      for event in events {
        if case .result(let result) = event {
          results.append(result)
          told += 1
        }
        observer.receive(event)
      }
      if told == before { return }
    }
  }

  /// Gives a case whose job is gone the result that its trials show, if it has none.
  private mutating func giveUp(_ name: CaseName) {
    let before = told
    tell()
    if told > before { return }
    let count = counts.removeValue(forKey: name) ?? CaseCount()
    held[name, default: []].append(
      .result(
        CaseResult(
          name, depth: plan.depth, verdict: count.lostTrials > 0 ? .corrupt : .error,
          reason: "its job ended before the verdict", count: count)))
    tell()
  }
}
