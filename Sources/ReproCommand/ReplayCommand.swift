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

  func run() async throws {
    let reported = try ReportedTrials(report)
    let times = times ?? (reported.trials.count == 1 ? 10 : 1)
    let codes = reporting.exitCodes
    var codesSeen: [Int32] = []
    let output = try openOutput(reporting.output)
    for trials in reported.cases {
      let plan = try Replay.plan(trials, of: reported.plan, times: times)
      if let kernel {
        let writer = ReportWriter(reporting.format.make(codes), output: output)
        let outcome = try await guest.run(guest.session(kernel, plan, codes), Replay(trials, writer))
        codesSeen.append(codes.code(outcome.end.verdict))
      } else {
        var session = Session(plan: plan, format: reporting.format, exitCodes: codes, output: output)
        session.originals = trials
        codesSeen.append(session.run())
      }
    }
    throw ExitCode(codes.overall(codes: codesSeen))
  }
}
