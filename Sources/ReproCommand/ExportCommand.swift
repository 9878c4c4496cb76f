import ArgumentParser
import Repro

/// `repro export`: a scenario as a program of its own.
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write a staged scenario as one C file, to send to others.")

  @Flag(name: .customLong("c"), help: "As C: the one form there is.") var isC = false

  @Argument(help: "The scenario's name.") var scenario: String

  @Option(name: .shortAndLong, help: "Write to this file, not to standard output.") var output: String?

  func validate() throws {
    if !isC { throw ValidationError("say --c: C is the one form there is") }
  }

  func run() throws {
    let source = try CExport(named: scenario).source
    let descriptor = try openOutput(output)
    if let failure = ReportWriter.write(source, to: descriptor) {
      throw ValidationError("\(output ?? "standard output"): \(failure)")
    }
  }
}
