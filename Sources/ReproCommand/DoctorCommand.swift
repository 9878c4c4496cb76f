import ArgumentParser
import Repro

/// `repro doctor`: what to do so that nothing is skipped.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Say what to do to this machine so that nothing is skipped.",
    discussion: "Exit codes: 0 nothing is to be done, 4 something would be skipped.")

  func run() throws {
    let doctor = Doctor()
    for line in doctor.lines { print(line) }
    if !doctor.advice.isEmpty { throw ExitCode(ExitCodes.default.code(.skipped)) }
  }
}
