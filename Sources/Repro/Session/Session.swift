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
    Supervisor.shielded {
      var codes: [Int32] = []
      for (index, session) in sessions.enumerated() {
        let end = session.supervised()
        codes.append(end.code)
        let left = sessions.count - index - 1
        guard left > 0, let signal = end.stopRequest ?? Supervisor.pendingStop else { continue }
        ReportWriter.write(
          "repro: stopped by signal \(signal): \(left) of \(sessions.count) runs are left out\n",
          to: STDERR_FILENO)
        codes.append(session.exitCodes.code(interruptedBy: signal))
        break
      }
      return codes
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
      let end = try Supervisor.run(seconds: plan.longestSeconds) { work(state, left) }
      return (code(end), end.stopRequest)
    } catch {
      return (failed("\(error)"), nil)
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
    geteuid() == 0 && cases.contains { $0.parts.contains { !$0.settings.isEmpty } }
  }

  private func work(_ hostState: HostState?, _ leftovers: [String]) -> Int32 {
    if geteuid() != 0, cases.contains(where: { $0.schedule == .staged }) {
      // FUSE may be mounted in a user namespace; refused, the held target says so itself.
      var step: UnsafePointer<CChar>?
      _ = ck_enter_user_namespace(&step)
    }
    let writer = ReportWriter(format.make(exitCodes), output: output, showsProgress: showsProgress)
    let appraisal = Appraisal(writer, kernel: .running, comparesWithCatalogue: comparesWithCatalogue)
    let observer: any Observer = originals.isEmpty ? appraisal : Replay(originals, writer)
    do {
      let end = try Campaign(plan, hostState: hostState, leftovers: leftovers, observer: observer).run(
        exitCodes)
      if let failure = writer.failure { return failed("the report is incomplete: \(failure)") }
      if let signal = end.interruptedBy { return exitCodes.code(interruptedBy: signal) }
      return exitCodes.code(comparesWithCatalogue ? appraisal.overall : end.verdict)
    } catch {
      return failed("\(error)")
    }
  }

  private func failed(_ reason: String, _ verdict: Verdict = .error) -> Int32 {
    ReportWriter.write("repro: error: \(reason)\n", to: STDERR_FILENO)
    for line in format.make(exitCodes).broken(reason) { ReportWriter.write(line + "\n", to: output) }
    return exitCodes.code(verdict)
  }
}
