import ArgumentParser
import Repro

/// `repro probe`: what this machine can do.
struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "Tell what this machine can run, and what would be skipped and why.")

  @Option(help: help("target")) var target: String?

  func run() throws {
    let spec = try target.map { text in
      guard let spec = TargetSpec(parsing: text) else { throw ValidationError("--target \(text): no target") }
      return spec
    }
    for line in Probe(target: spec).lines { print(line) }
  }
}
