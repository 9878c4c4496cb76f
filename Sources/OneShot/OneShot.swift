import Glibc
import Repro

/// The static executable: as PID 1 it makes a machine of the bare kernel and runs the plan in
/// `/plan`; started by anybody else it runs the plan in its arguments, `key=value` each.
@main
enum OneShot {
  static func main() {
    if getpid() == 1 { Guest.run() }
    exit(runPlain(Array(CommandLine.arguments.dropFirst())))
  }

  private static let usage = """
    usage: oneshot [KEY=VALUE...]
    Shows whether direct I/O loses data on this kernel. Keys: scenarios, engines, schedules, target,
    overwrite, trials, time, seed, minimum-exposures, stop-after-losses, confidence, swap-device.
    Exit codes: 0 clean, 1 corrupt, 2 error, 3 inconclusive, 4 skipped.

    """

  private static func runPlain(_ arguments: [String]) -> Int32 {
    if arguments.contains("--help") {
      ReportWriter.write(usage, to: STDOUT_FILENO)
      return 0
    }
    do {
      let plan = try Plan(text: arguments.joined(separator: "\n"))
      return Session(plan: plan, format: .human, exitCodes: .default).run()
    } catch {
      ReportWriter.write("oneshot: error: \(error)\n", to: STDERR_FILENO)
      return ExitCodes.default.code(.error)
    }
  }
}
