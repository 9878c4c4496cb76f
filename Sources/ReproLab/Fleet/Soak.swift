import Glibc
public import Repro

/// Runs a plan for hours: in rounds of some seconds, each a run of its own with both controls and a seed of its
/// own, whose sums are kept and whose trials, but for those that lost data, are not.
///
/// A kill at any moment loses the round that is under way, and of that not what it has shown to be lost.
public struct Soak {
  /// When a soak is over; at the first of these.
  public struct Goal: Sendable {
    /// Seconds, to the nearest round.
    public var seconds: Double?
    /// Pages on which a guard was asked, in each case.
    public var exposures: Int?
    /// Trials in which one was, in each case.
    public var hazards: Int?

    /// A goal; with nothing given it is never reached.
    public init(seconds: Double? = nil, exposures: Int? = nil, hazards: Int? = nil) {
      self.seconds = seconds
      self.exposures = exposures
      self.hazards = hazards
    }

    /// Whether `result` has the exposures that are asked for.
    func isReached(by result: CaseResult) -> Bool {
      result.count.exposures >= exposures ?? 0 && result.count.exposedTrials >= hazards ?? 0
    }
  }

  private let plan: Plan
  private let goal: Goal
  private let jobs: Int
  private let file: SoakFile
  private var merge = ReportMerge()
  private var offset = 0
  private let begin = ContinuousClock.now
  /// Seconds of earlier sessions.
  private var before = 0.0
  private var lastTold = 0.0

  /// A round of many cases takes longer.
  private static let roundSeconds = 10.0

  /// A soak of `plan` in the file at `path`.
  /// - Parameters:
  ///   - resumes: whether it goes on with a soak of the same plan on the same kernel.
  ///   - jobs: how many cases run at once.
  /// - Throws: PlanError for a file that can't be used or another plan or kernel; SelectionError.
  public init(_ plan: Plan, goal: Goal, path: String, resumes: Bool, jobs: Int = 1) throws {
    var plan = plan
    let cases = try plan.expand().cases
    plan.time = plan.time ?? max(0.5, Self.roundSeconds / Double(max(1, cases.count)))
    self.goal = goal
    self.jobs = jobs
    file = try SoakFile(path, resumes: resumes)
    if resumes, lseek(file.descriptor, 0, SEEK_END) > 0 {
      if try file.mend() { ReportWriter.write("soak: the last round was cut off\n", to: STDERR_FILENO) }
      offset = try merge.add(path, from: 0)
      before = merge.seconds
    }
    if let start = merge.start {
      plan.seed = start.plan.seed
      if let difference = ReportMerge.differences(RunStart(plan, []), start).first {
        throw PlanError("\(path): what is asked for \(difference)")
      }
    }
    self.plan = plan
  }

  /// Goes on until the goal is reached or somebody stops it. Call it on a process's only thread.
  /// - Parameters:
  ///   - exitCodes: the dialect of the code.
  ///   - tell: gets a line a minute.
  /// - Returns: the whole as one run, and the exit code.
  /// - Throws: PlanError when the file can't be written.
  public mutating func run(
    _ exitCodes: ExitCodes, tell: (String) -> Void
  ) throws -> (events: [Event], code: Int32) {
    var signal: Int32?
    try Session.run { last in
      if let last {
        try file.sync()
        offset = try merge.add(file.path, from: offset)
        if elapsed - lastTold >= 60 { tell(line) }
        signal = last.stopRequest
      }
      if isOver || signal != nil { return nil }
      var session = Session(
        plan: round, format: RoundReport.format, exitCodes: .default, output: file.descriptor)
      session.showsProgress = false
      session.jobs = .of(jobs)
      return session
    }
    tell(line)
    var events = try merge.events(exitCodes)
    guard case .end(var end)? = events.popLast() else { return (events, exitCodes.code(.error)) }
    end.interruptedBy = signal
    if signal == nil, end.verdict == .clean, !merge.results.allSatisfy(goal.isReached) {
      end.verdict = .inconclusive
      end.reason = "the time was over before every case had the exposures asked for"
    }
    events.append(.end(end))
    return (events, signal.map { exitCodes.code(interruptedBy: $0) } ?? exitCodes.code(end.verdict))
  }

  /// The plan of the next round. Seeds never come twice: the factor is odd.
  private var round: Plan {
    var round = plan
    round.seed = Seed(plan.seed.value ^ UInt64(merge.runs) &* 0x9e37_79b9_7f4a_7c15)
    return round
  }

  private var elapsed: Double { before + (ContinuousClock.now - begin) / .seconds(1) }

  private var isOver: Bool {
    if merge.runs == 0 { return false }
    let results = merge.results
    // Whatever is wrong with a round would be wrong with the next.
    if !merge.faults.isEmpty || results.contains(where: { $0.verdict == .error }) { return true }
    if results.allSatisfy({ $0.verdict == .skipped }) { return true }
    if let losses = plan.stopAfterLosses, results.contains(where: { $0.count.lostTrials >= losses }) {
      return true
    }
    if let seconds = goal.seconds, elapsed + roundSeconds / 2 >= seconds { return true }
    guard goal.exposures != nil || goal.hazards != nil else { return false }
    return results.filter { $0.verdict != .skipped }.allSatisfy(goal.isReached)
  }

  private var roundSeconds: Double { (plan.time ?? 0) * Double(merge.results.count) }

  /// What was reached so far: the bound is that of the case that knows least.
  private var line: String {
    mutating get {
      lastTold = elapsed
      let results = merge.results
      func sum(_ number: (CaseCount) -> Int) -> Int { results.reduce(0) { $0 + number($1.count) } }
      let worst = results.filter { $0.upperBound != nil }.max { $0.upperBound ?? 0 < $1.upperBound ?? 0 }
      let bound = worst.map { "; \($0.case) loses less than \(HumanReport.percent($0.upperBound ?? 1))" }
      return
        "soak: \((elapsed / 60).fixed(1)) min, \(merge.runs) rounds, \(sum(\.exposedTrials)) hazards, "
        + "\(sum(\.exposures)) exposures, \(sum(\.losses)) pages lost\(bound ?? "")"
    }
  }
}
