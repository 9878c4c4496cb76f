import ArgumentParser
import Glibc
import Repro

/// `repro run`: on this machine.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run scenarios on this machine's kernel (the default command).")

  @OptionGroup var options: PlanOptions
  @OptionGroup var report: ReportOptions

  func run() throws {
    var session = Session(plan: try options.plan(), format: report.format, exitCodes: report.exitCodes)
    if let path = report.output { session.output = try openOutput(path) }
    throw ExitCode(session.run())
  }
}

/// Opens a report file for writing.
func openOutput(_ path: String) throws -> CInt {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
  if descriptor < 0 {
    throw ValidationError(
      "--output \(path): \(String(cString: strerror(errno))); name a file that you may write")
  }
  return descriptor
}
