import ArgumentParser
import Glibc
import Repro
import ReproLab

/// `repro soak`: for hours, with checkpoints.
struct SoakCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "soak", abstract: "Run scenarios for a time or a number of exposures, with checkpoints.",
    discussion: """
      Runs in rounds of about ten seconds (--time: seconds a case in a round), each with both controls. The file \
      is a JSONL report of the rounds: trials that lost nothing are summed, those that lost data kept. A soak \
      that was stopped or killed goes on with --resume and the same options. Exit codes as those of 'repro run', \
      and 128 + signal when stopped; 3 when the time was over before the exposures asked for were reached.
      """)

  @Option(name: .customLong("for"), help: "How long: seconds, or 3m, 2h, 1d. Default: until stopped.")
  var duration: String?
  @Option(help: "Until each case has so many exposures (pages on which a guard was asked).") var exposures:
    Int?
  @Option(help: "Until each case has so many exposed trials.") var hazards: Int?
  @Option(name: .shortAndLong, help: "The file of rounds.") var output = "soak.jsonl"
  @Flag(help: "Go on with the soak in the file.") var resume = false
  @Option(help: "default, kselftest, ltp, bisect or automake.") var exitCodes: ExitCodes = .default
  @OptionGroup var jobs: JobOptions
  @OptionGroup var options: PlanOptions

  func validate() throws {
    for (name, value) in [("exposures", exposures), ("hazards", hazards)] where value ?? 1 < 1 {
      throw ValidationError("--\(name) \(value ?? 0): a whole number above 0 is needed")
    }
    if !options.shard.isEmpty {
      throw ValidationError("--shard: a soak has none; name its scenarios, and merge the files of soaks")
    }
    _ = try goal()
    try jobs.validate(options.plan())
  }

  func run() throws {
    var soak = try Soak(
      try options.plan(), goal: try goal(), path: output, resumes: resume, jobs: jobs.jobs)
    let (events, code) = try soak.run(exitCodes) { tell($0) }
    var report = HumanReport(exitCodes)
    for line in events.flatMap({ report.lines(for: $0) }) { tell(line) }
    throw ExitCode(code)
  }

  /// At once: what is buffered here, the next round's process would write again.
  private func tell(_ line: String) { ReportWriter.write("\(line)\n", to: STDOUT_FILENO) }

  private func goal() throws -> Soak.Goal {
    Soak.Goal(seconds: try duration.map(seconds), exposures: exposures, hazards: hazards)
  }

  private func seconds(_ text: String) throws -> Double {
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
    let unit = text.last.flatMap { units[$0] }
    guard let number = Double(unit == nil ? text : String(text.dropLast())), number > 0, number.isFinite
    else {
      throw ValidationError("--for \(text): seconds above 0 are needed, or 3m, 2h, 1d")
    }
    return number * (unit ?? 1)
  }
}
