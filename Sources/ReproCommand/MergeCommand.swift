import ArgumentParser
import Glibc
import Repro
import ReproLab

/// `repro merge`: one report of many.
struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Make one report of the shards of a plan, or of several runs or soaks of it.",
    discussion: """
      Sums are exact, verdicts and bounds those of the sums. A shard that is missing, failed or was cut off, \
      another kernel, another plan: the whole is an error (exit code 2), never clean, and says which. The same \
      shard or run twice is refused, and nothing is written. Else the exit code is that of the verdict.
      """)

  @Argument(help: "Reports made with --format jsonl, and files of soaks.") var reports: [String]
  @Option(name: .shortAndLong, help: "Write the merged JSONL report, with all trials, to this file.")
  var output: String?
  @Option(help: "default, kselftest, ltp, bisect or automake.") var exitCodes: ExitCodes = .default

  func run() throws {
    var merge = ReportMerge()
    for report in reports { try merge.add(report) }
    let events = try merge.events(exitCodes)
    if let output { try merge.write(exitCodes, to: try openOutput(output)) }
    var report = HumanReport(exitCodes)
    for line in events.flatMap({ report.lines(for: $0) }) { print(line) }
    guard case .end(let end)? = events.last else { throw ExitCode(exitCodes.code(.error)) }
    if end.verdict == .error, let reason = end.reason {
      ReportWriter.write("repro: error: \(reason)\n", to: STDERR_FILENO)
    }
    throw ExitCode(exitCodes.code(end.verdict))
  }
}
