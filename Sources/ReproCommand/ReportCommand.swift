import ArgumentParser
import Glibc
import Repro
import ReproLab

/// `repro report`: stored reports in another format.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Render JSONL reports, or a store of results, in another format.",
    discussion: """
      Exit codes: 0 when the report was written, whatever it says; 2 for a file that is no report. With \
      --exit-codes, the code that the worst verdict of the runs has in that dialect. A report that was cut off \
      is rendered as an error.
      """)

  @Argument(help: "Reports made with --format jsonl, or stores made with 'repro store'.")
  var reports: [String]
  @Option(
    help: ArgumentHelp(
      ReportFormat.all.map { "\($0.name) (\($0.summary))" }.joined(separator: ", ") + ".", valueName: "format"
    ))
  var format: ReportFormat = .human
  @Option(help: "Write the report to this file, not to standard output.") var output: String?
  @Option(help: "Exit as a run would: default, kselftest, ltp, bisect or automake.") var exitCodes: ExitCodes?

  func run() throws {
    let runs = try reports.flatMap { try StoredRuns.read($0, format) }
    let lines = try format.lines(of: runs, exitCodes ?? .default)
    let descriptor = try openOutput(output)
    if let failure = ReportWriter.write(lines.map { $0 + "\n" }.joined(), to: descriptor) {
      throw ValidationError("the report is incomplete: \(failure)")
    }
    guard let exitCodes else { return }
    let verdicts = runs.joined().compactMap { if case .end(let end) = $0 { end.verdict } else { nil } }
    throw ExitCode(exitCodes.code(exitCodes.overall(verdicts)))
  }
}
