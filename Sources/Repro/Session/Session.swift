import CKernel
import Glibc

/// A whole run as a program does it: supervised, reported, the host put back, one exit code.
public struct Session {
  /// What to do.
  public var plan: Plan
  /// How to report it.
  public var format: ReportFormat
  /// How to say it to the caller.
  public var exitCodes: ExitCodes
  /// Where the report goes; stays open.
  public var output: CInt
  /// The trials as they were, when the plan runs them again.
  public var originals: [TrialRecord] = []
  /// Whether the exit code tells how the verdicts compare with the catalogue of bugs, and not what they are.
  public var comparesWithCatalogue = false
  /// Several workers at once; nil for one.
  public var jobs: Jobs?
  /// Whether progress is shown on standard error.
  public var showsProgress = isatty(STDERR_FILENO) == 1

  /// A session; nothing happens yet.
  public init(plan: Plan, format: ReportFormat, exitCodes: ExitCodes, output: CInt = STDOUT_FILENO) {
    self.plan = plan
    self.format = format
    self.exitCodes = exitCodes
    self.output = output
  }

  /// Runs it. Messages about the harness itself go to standard error.
  ///
  /// Call it on a process's only thread; see ``Supervisor/run(seconds:_:)``.
  /// - Returns: the exit code.
  public func run() -> Int32 { Supervisor.shielded { supervised().code } }

  /// Runs one after the other as one run, which a single request to stop ends.
  /// - Returns: the exit codes of those that ran, and of the signal if not all did.
  public static func run(_ sessions: [Session]) -> [Int32] {
    var codes: [Int32] = []
    run { last in
      if let last { codes.append(last.code) }
      let left = sessions.count - codes.count
      if left == 0 { return nil }
      guard let signal = last?.stopRequest else { return sessions[codes.count] }
      ReportWriter.write(
        "repro: stopped by signal \(signal): \(left) of \(sessions.count) runs are left out\n",
        to: STDERR_FILENO)
      codes.append(sessions[codes.count].exitCodes.code(interruptedBy: signal))
      return nil
    }
    return codes
  }

  /// How one of several runs ended.
  public struct End: Sendable {
    /// Its exit code.
    public var code: Int32
    /// The signal that asked all of them to stop.
    public var stopRequest: Int32?
  }

  /// Runs what `next` gives, which is told how the last one ended, until it gives nothing. Requests to stop
  /// reach the run that is going on, and then `next`; none ends this process.
  public static func run(each next: (_ last: End?) throws -> Session?) rethrows {
    try Supervisor.shielded {
      var last: End?
      while let session = try next(last) {
        let end = session.supervised()
        last = End(code: end.code, stopRequest: end.stopRequest ?? Supervisor.pendingStop)
      }
    }
  }

  private func supervised() -> (code: Int32, stopRequest: Int32?) {
    var hostState: HostState?
    var repaired: [String] = []
    defer {
      for refusal in hostState?.close() ?? [] {
        ReportWriter.write("repro: the host is not as it was: \(refusal)\n", to: STDERR_FILENO)
      }
    }
    do {
      if changesHost {
        hostState = try HostState(allowed: Setting.files)
      } else if geteuid() == 0 {
        repaired = HostState.repair(allowed: Setting.files)
      }
      let state = hostState
      let left = repaired + (state?.leftovers ?? [])
      let end = try start(state, left)
      return (code(end), end.stopRequest)
    } catch {
      return (failed("\(error)"), nil)
    }
  }

  private func start(_ hostState: HostState?, _ leftovers: [String]) throws -> Supervisor.End {
    if let jobs, jobs.count > 1 {
      let split = try JobSplit(cases, jobs: jobs.count)
      if split.cpus.count > 1 {
        let crew = try jobs.crew(
          plan, split, hostState: hostState, notes: leftovers.map(Campaign.note(ofLeftover:)),
          hasEveryTrial: format.hasEveryTrial, prepare: enterNamespace, report: report)
        return try Supervisor.run(seconds: plan.longestSeconds, crew.works, begun: crew.begun)
      }
    }
    return try Supervisor.run(seconds: plan.longestSeconds) {
      enterNamespace()
      return report { observer, exitCodes in
        try Campaign(plan, hostState: hostState, leftovers: leftovers, observer: observer).run(exitCodes)
      }
    }
  }

  private func code(_ end: Supervisor.End) -> Int32 {
    // Whatever else the run would have shown, a loss is proof.
    let proved = end.provedLoss && !comparesWithCatalogue
    switch end.ending {
    case .exited(let code): return code
    case .killed(let signal):
      return failed(
        "the harness was ended by signal \(signal): a bug of repro or a kill, "
          + (proved ? "after it had proved a loss" : "not corruption"), proved ? .corrupt : .error)
    case .timedOut:
      return failed(
        "the run was still going after \(Int(plan.longestSeconds)) s and was killed; "
          + (proved ? "a loss was proved before" : "nothing is known"), proved ? .corrupt : .error)
    }
  }

  private var cases: [Case] { (try? plan.expand().cases) ?? [] }

  private var changesHost: Bool {
    geteuid() == 0
      && (plan.swapPlace != nil || cases.contains { $0.parts.contains { !$0.settings.isEmpty } })
  }

  private func enterNamespace() {
    if geteuid() != 0, cases.contains(where: { $0.schedule == .staged }) {
      // FUSE may be mounted in a user namespace; refused, the held target says so itself.
      var step: UnsafePointer<CChar>?
      _ = ck_enter_user_namespace(&step)
    }
  }

  /// Reports what `run` tells.
  /// - Parameter run: gives how it ended; nil when a worker of it was killed, which its supervisor tells.
  private func report(_ run: (any Observer, ExitCodes) throws -> RunEnd?) -> Int32 {
    let writer = ReportWriter(format.make(exitCodes), output: output, showsProgress: showsProgress)
    let appraisal = Appraisal(writer, kernel: .running, comparesWithCatalogue: comparesWithCatalogue)
    let observer: any Observer = originals.isEmpty ? appraisal : Replay(originals, writer)
    do {
      guard let end = try run(observer, exitCodes) else { return exitCodes.code(.error) }
      if let failure = writer.failure { return failed("the report is incomplete: \(failure)") }
      if let signal = end.interruptedBy { return exitCodes.code(interruptedBy: signal) }
      return exitCodes.code(comparesWithCatalogue ? appraisal.overall : end.verdict)
    } catch {
      writer.flush()
      return failed("\(error)")
    }
  }

  private func failed(_ reason: String, _ verdict: Verdict = .error) -> Int32 {
    ReportWriter.write("repro: error: \(reason)\n", to: STDERR_FILENO)
    for line in format.make(exitCodes).broken(reason) { ReportWriter.write(line + "\n", to: output) }
    return exitCodes.code(verdict)
  }
}
