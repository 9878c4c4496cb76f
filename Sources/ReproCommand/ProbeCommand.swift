import ArgumentParser
import Repro

/// `repro probe`: what this machine can do.
struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "Tell what this machine can run, and what would be skipped and why.")

  func run() throws {
    for line in Probe().lines { print(line) }
  }
}
