import ArgumentParser
import Repro
import ReproLab

/// `repro coverage`: which scenarios were exposed on which memory.
struct CoverageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coverage",
    abstract: "Show which scenarios asked a guard on which memory, on any of the kernels of reports.",
    discussion: """
      Exit codes: 0 when each pair was exposed on some kernel, or is known to be out of reach (docs/hazards.md \
      says why); 1 when one was not, or is said to be out of reach and was exposed; 2 for a file that is no report.
      """)

  @Argument(
    help: "Reports made with --format jsonl or --report jsonl=FILE, or stores made with 'repro store'.")
  var reports: [String]

  func run() throws {
    let coverage = Coverage(try reports.flatMap { try StoredRuns.read($0, .human) })
    for line in coverage.lines { print(line) }
    if !coverage.isComplete { throw ExitCode(1) }
  }
}
