import ArgumentParser
import Repro
import ReproLab

/// `repro run`: on this machine.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run scenarios on this machine's kernel (the default command).")

  @Flag(
    help: """
      Compare with the catalogue of bugs: exit 0 when all is as it has it for this kernel, known losses \
      included, 1 when something is unexpected, 3 when exposures were too few to tell.
      """)
  var againstCatalogue = false
  @OptionGroup var jobs: JobOptions
  @OptionGroup var options: PlanOptions
  @OptionGroup var report: ReportOptions

  func validate() throws { try jobs.validate(options.plan()) }

  func run() throws {
    var session = Session(
      plan: try options.plan(), format: report.format, exitCodes: report.exitCodes,
      output: try openOutput(report.output))
    session.comparesWithCatalogue = againstCatalogue
    session.jobs = .of(jobs.jobs)
    throw ExitCode(session.run())
  }
}
