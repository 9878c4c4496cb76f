import ArgumentParser
import Glibc
import Repro
import ReproLab

/// `repro replay`: trials of a report again.
struct ReplayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Run trials of a JSONL report again, and say whether the damage came back.",
    discussion: """
      Without #TRIAL, all trials of the report that lost data (all trials if none did) are run. \
      Exit codes as for 'run': 1 when data was lost again.
      """)

  @Argument(help: "REPORT, REPORT#TRIAL or REPORT#CASE:TRIAL.") var report: String
  @Option(help: "How often to run each trial. Default: 10 for one trial, 1 for several.") var times: Int?
  @Option(help: "Run on this kernel in a guest, not on this machine's.") var kernel: String?
  @OptionGroup var guest: GuestOptions
  @OptionGroup var reporting: ReportOptions

  func validate() throws {
    if let times, times < 1 { throw ValidationError("--times \(times): a number above 0 is needed") }
  }

  /// Whether all of it happens on this machine: then ``runHere()`` is to be called, on the program's only
  /// thread.
  var isHere: Bool { kernel == nil }

  func run() async throws {
    guard let kernel else { return try runHere() }
    let codes = reporting.exitCodes
    var codesSeen: [Int32] = []
    let plans = try plans()
    let output = try openOutput(reporting.output)
    for (trials, plan) in plans {
      let writer = ReportWriter(reporting.format.make(codes), output: output)
      let outcome = try await guest.run(guest.session(kernel, plan, codes), Replay(trials, writer))
      codesSeen.append(codes.code(outcome.end.verdict))
    }
    throw ExitCode(codes.overall(codes: codesSeen))
  }

  /// ``run()`` on this machine. What a case changes on the host is put back by a supervisor, which must get
  /// the signals that come.
  func runHere() throws {
    let plans = try plans()
    let output = try openOutput(reporting.output)
    let sessions = plans.map { trials, plan in
      var session = Session(
        plan: plan, format: reporting.format, exitCodes: reporting.exitCodes, output: output)
      session.originals = trials
      return session
    }
    throw ExitCode(reporting.exitCodes.overall(codes: Session.run(sessions)))
  }

  /// Case by case, the trials as they were and how they are made again.
  private func plans() throws -> [(trials: [TrialRecord], plan: Plan)] {
    let reported = try ReportedTrials(report)
    let times = times ?? (reported.trials.count == 1 ? 10 : 1)
    return try reported.cases.map { ($0, try Replay.plan($0, of: reported.plan, times: times)) }
  }
}
