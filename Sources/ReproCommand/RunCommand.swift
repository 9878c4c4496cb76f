import ArgumentParser
import Repro

/// `repro run`: on this machine.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run scenarios on this machine's kernel (the default command).")

  @OptionGroup var options: PlanOptions
  @OptionGroup var report: ReportOptions

  func run() throws {
    let session = Session(
      plan: try options.plan(), format: report.format, exitCodes: report.exitCodes,
      output: try openOutput(report.output))
    throw ExitCode(session.run())
  }
}
