import ArgumentParser
import Foundation
import Repro

/// `bench`: how fast the suite is, beside what limits it and what others do, all in one run.
@main
struct Bench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measures the suite beside its limits and a C program of the same recipe.",
    subcommands: [Measure.self, WriteReport.self, ReadReport.self], defaultSubcommand: Measure.self)

  /// What somebody asks for.
  struct Measure: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "measure", abstract: "Run benchmarks and print a table.")

    @Argument(help: ArgumentHelp("Of \(Subject.all.map(\.name).joined(separator: ", ")); all without."))
    var names: [String] = []
    @Flag(help: "As short as can be: shows that each runs, and measures nothing.") var smoke = false
    @Flag(help: "Print docs/benchmarks.md.") var markdown = false

    func validate() throws {
      for name in names where !Subject.all.contains(where: { $0.name == name }) {
        let known = Subject.all.map(\.name).joined(separator: ", ")
        throw ValidationError("no benchmark '\(name)'; one of \(known)")
      }
    }

    func run() async throws {
      var results: [(subject: Subject, rows: [Row])] = []
      for subject in Subject.all where names.isEmpty || names.contains(subject.name) {
        ReportWriter.write("\(subject.name) ...\n", to: STDERR_FILENO)
        results.append((subject, try await subject.measure(smoke)))
      }
      print(markdown ? Page(results).text : Row.table(results.flatMap(\.rows)))
    }
  }
}
