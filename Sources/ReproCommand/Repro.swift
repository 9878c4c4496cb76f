import ArgumentParser
import Glibc
import Repro

/// The `repro` command.
struct ReproCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "repro",
    abstract: "Shows whether direct I/O loses data when the kernel replaces a page under it.",
    discussion: """
      Exit codes: 0 clean, 1 corrupt, 2 usage or harness error, 3 inconclusive, 4 skipped; \
      --exit-codes chooses other conventions.
      """,
    version: Campaign.version,
    subcommands: [
      RunCommand.self, VMCommand.self, MatrixCommand.self, MutantsCommand.self, BisectCommand.self,
      CalibrateCommand.self, SoakCommand.self, MergeCommand.self, ReplayCommand.self, ReportCommand.self,
      CoverageCommand.self, StoreCommand.self, MeasureCommand.self, RuntestCommand.self, FleetCommand.self,
      SealCommand.self,
      ExportCommand.self, ListCommand.self, ProbeCommand.self,
      ExplainCommand.self, DoctorCommand.self,
    ],
    defaultSubcommand: RunCommand.self)
}

@main
enum Main {
  static func main() async {
    do {
      var command = try ReproCommand.parseAsRoot()
      if let replay = command as? ReplayCommand, replay.isHere {
        try replay.runHere()  // not on a thread of Swift's pool
      } else if var waiting = command as? any AsyncParsableCommand {
        try await waiting.run()
      } else {
        try command.run()
      }
    } catch let code as ExitCode {
      exit(code.rawValue)
    } catch {
      if ReproCommand.exitCode(for: error) == .success { ReproCommand.exit(withError: error) }  // --help
      let message = ReproCommand.message(for: error).split(separator: "\n").joined(separator: " ")
      ReportWriter.write("repro: error: \(message)\n", to: STDERR_FILENO)
      // A bisection would take 2 for "bad".
      let isBisected = CommandLine.arguments.contains { $0 == "bisect" || $0 == "--exit-codes=bisect" }
      exit(isBisected ? ExitCodes.bisect.code(.error) : 2)
    }
  }
}
