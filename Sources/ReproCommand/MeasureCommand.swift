import ArgumentParser
import Foundation
import Repro
import ReproLab

/// `repro measure`: the catalogue's measured column from reports.
struct MeasureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "measure",
    abstract: "Make of reports what the catalogue says was measured, a line a bug, case and kernel.",
    discussion: """
      The lines are those of fixtures/measured.txt, which is part of the program; './run.sh measure' makes the \
      reports and this. Exit codes: 0 all was taken; 1 something was not, above all a loss that the catalogue \
      does not have, which stays out of committed reports; 2 for a file that is no report.
      """)

  @Argument(help: "Reports made with --format jsonl, or stores made with 'repro store'.")
  var reports: [String]
  @Option(
    help: "Put the lines into this file, in place of those that the same cases gave on the same kernels.")
  var into: String?

  func run() throws {
    var runs = MeasuredRuns()
    for run in try reports.flatMap({ try StoredRuns.read($0, .human) }) { runs.add(run) }
    var all = Measurements()
    if let into, let text = try? String(contentsOfFile: into, encoding: .utf8) {
      do throws(CatalogueError) {
        all = try Measurements(parsing: text)
      } catch {
        throw ValidationError("\(into): \(error)")
      }
    }
    all.replace(with: runs.measurements)
    let descriptor = try openOutput(into)
    if let failure = ReportWriter.write(all.text, to: descriptor) {
      throw ValidationError("\(into ?? "standard output"): \(failure)")
    }
    for line in runs.refused { ReportWriter.write("not taken: \(line)\n", to: STDERR_FILENO) }
    if !runs.refused.isEmpty { throw ExitCode(1) }
  }
}
