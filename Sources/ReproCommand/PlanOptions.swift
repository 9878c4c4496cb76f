import ArgumentParser
import Repro

extension Schedule: ExpressibleByArgument {}
extension EngineKind: ExpressibleByArgument {}
extension HeldKind: ExpressibleByArgument {}
extension ExitCodes: ExpressibleByArgument {}
extension ReportFormat: ExpressibleByArgument {}

/// What to run: the options that every command which runs trials shares.
struct PlanOptions: ParsableArguments {
  @Argument(help: "Scenarios, or globs of them; all but the positive control if none is given.")
  var scenarios: [String] = []

  @Option(help: "staged: the I/O is held in flight; race: threads run free. Repeatable; both if not given.")
  var schedule: [Schedule] = []

  @Option(help: "pread, preadv2 or libaio. Repeatable; all if not given.")
  var engine: [EngineKind] = []

  @Option(
    help: """
      'held' (a file, staged only), 'held-block' (a loop device over it), or a folder, new file or block device to race on; a folder gets an unnamed \
      file that vanishes. Default: held for staged, \(Plan.standardTarget) for race.
      """)
  var target: String?

  @Flag(help: "Let --target be an existing file or block device, whose content is lost.")
  var overwrite = false

  @Option(help: "Trials a cell. Default: 20 staged; what fits in --time for race.")
  var trials: Int?

  @Option(help: "Seconds a cell. Default: 0.5 for race.")
  var time: Double?

  @Option(
    help: "Seed of patterns and delays, decimal or 0x hex. Default: random, and printed.",
    transform: { text in
      guard let seed = Seed(parsing: text) else {
        throw ValidationError("a number, or hex after 0x, is needed")
      }
      return seed
    })
  var seed: Seed?

  @Option(help: "Exposures below which a cell is inconclusive. Default: 3 staged, 50 race.")
  var minExposures: Int?

  @Option(help: "End a cell after so many losses. Default: run all trials.")
  var stopAfterLosses: Int?

  func validate() throws {
    for (name, value) in [
      ("trials", trials), ("min-exposures", minExposures), ("stop-after-losses", stopAfterLosses),
    ] {
      if let value, value < 1 { throw ValidationError("--\(name) \(value): a number above 0 is needed") }
    }
    if let time, !(time > 0 && time.isFinite) {
      throw ValidationError("--time \(time): a number of seconds above 0 is needed")
    }
    if let target, held != nil, schedule.contains(.race) {
      throw ValidationError("--target \(target) can't race: name a folder, or drop --schedule race")
    }
    if let target, held == nil, schedule.contains(.staged) {
      throw ValidationError("--target \(target) can't be held: use --schedule race, or --target held")
    }
  }

  /// The holding target that `--target` names, if it does.
  private var held: HeldKind? { target.flatMap(HeldKind.init) }

  /// The plan that the options describe.
  func plan() throws -> Plan {
    var plan = Plan(scenarios: try Plan.select(scenarios), seed: seed ?? Seed(.random(in: .min ... .max)))
    if !engine.isEmpty { plan.engines = EngineKind.allCases.filter(engine.contains) }
    plan.schedules = schedules
    plan.held = held ?? .file
    plan.target = held == nil ? target : nil
    plan.overwrite = overwrite
    plan.trials = trials
    plan.time = time
    plan.minimumExposures = minExposures
    plan.stopAfterLosses = stopAfterLosses
    return plan
  }

  /// - Throws: ValidationError for a target that only this machine has.
  func requireGuestTarget() throws {
    if let target, held == nil {
      throw ValidationError(
        "--target \(target): a guest races on its own disk; drop --target, or give 'held'")
    }
  }

  /// A target of one schedule leaves the other out.
  private var schedules: [Schedule] {
    if !schedule.isEmpty { return Schedule.allCases.filter(schedule.contains) }
    if target == nil { return Schedule.allCases }
    return held == nil ? [.race] : [.staged]
  }
}

/// How to report: shared by the commands that give verdicts.
struct ReportOptions: ParsableArguments {
  @Option(help: "human, ktap (kselftest) or jsonl (one event a line, with all that is known).")
  var format: ReportFormat = .human

  @Option(help: "Write the report to this file, not to standard output.")
  var output: String?

  @Option(help: "default, kselftest, ltp, bisect or automake.")
  var exitCodes: ExitCodes = .default

  /// A writer of the report.
  func writer() throws -> ReportWriter {
    ReportWriter(format.make(exitCodes), output: try openOutput(output))
  }
}
