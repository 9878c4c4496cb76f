import ArgumentParser
import Repro
import ReproLab

extension ExitCodes: ExpressibleByArgument {}

extension ReportFormat: ExpressibleByArgument {
  /// The format of that name.
  public init?(argument: String) {
    guard let format = ReportFormat.named(argument) else { return nil }
    self = format
  }

  /// For the help.
  public static var allValueStrings: [String] { all.map(\.name) }
  /// For the help.
  public var defaultValueDescription: String { name }
}

/// Help for a setting of a plan, from the table of settings.
func help(_ key: String) -> ArgumentHelp { ArgumentHelp(PlanKey.named(key)?.help ?? "") }

extension Plan {
  /// Sets what the option `--key` says.
  /// - Throws: ValidationError that names the option.
  mutating func setOption(_ key: String, _ values: [String]) throws {
    for value in values {
      do throws(PlanError) {
        try set(key, value)
      } catch {
        throw ValidationError("--\(error.description.replacing("=", with: " ", maxReplacements: 1))")
      }
    }
  }
}

/// Which parts: the options that every command which names cases shares.
struct PartOptions: ParsableArguments {
  @Option(help: help("memory")) var memory: [String] = []
  @Option(help: help("engine")) var engine: [String] = []
  @Option(help: help("target")) var target: [String] = []
  @Option(help: help("schedule")) var schedule: [String] = []
  @Flag(
    help: "Let --target be an existing file or block device, or --swap-device one, whose content is lost.")
  var overwrite = false

  func apply(to plan: inout Plan) throws {
    try plan.setOption("memory", memory)
    try plan.setOption("engine", engine)
    try plan.setOption("target", target)
    try plan.setOption("schedule", schedule)
    if overwrite {
      for index in plan.selection.targets.indices where plan.selection.targets[index].path != nil {
        plan.selection.targets[index].overwrite = true
      }
    }
  }

  /// - Throws: ValidationError for a target that only this machine has.
  func requireGuestTarget() throws {
    var plan = Plan(Selection(), seed: Seed(0))
    try apply(to: &plan)
    for target in plan.selection.targets where target.path != nil {
      throw ValidationError(
        "--target \(target.path ?? ""): a guest races on its own disk; drop --target, or give 'held'")
    }
  }
}

/// What to run: the options that every command which runs trials shares.
struct PlanOptions: ParsableArguments {
  @Argument(help: "Scenarios, or globs of them; all but the positive control if none is given.")
  var scenarios: [String] = []
  @OptionGroup var parts: PartOptions
  @Flag(help: help("all")) var all = false
  @Option(help: help("shard")) var shard: [String] = []
  @Option(help: help("depth")) var depth: [String] = []
  @Option(help: help("bytes")) var bytes: [String] = []
  @Option(name: .customLong("parts"), help: help("parts")) var segments: [String] = []
  @Option(help: help("trials")) var trials: [String] = []
  @Option(help: help("time")) var time: [String] = []
  @Option(help: help("seed")) var seed: [String] = []
  @Option(help: help("min-exposures")) var minExposures: [String] = []
  @Option(help: help("stop-after-losses")) var stopAfterLosses: [String] = []
  @Option(help: help("confidence")) var confidence: [String] = []
  @Option(help: help("swap-device")) var swapDevice: [String] = []

  func validate() throws { _ = try plan() }

  /// The plan that the options describe.
  func plan() throws -> Plan {
    var plan = Plan(Selection(scenarios: scenarios), seed: .random)
    try parts.apply(to: &plan)
    plan.selection.isExhaustive = all
    for (key, values) in [
      ("shard", shard), ("depth", depth), ("bytes", bytes), ("parts", segments), ("trials", trials),
      ("time", time), ("seed", seed), ("min-exposures", minExposures),
      ("stop-after-losses", stopAfterLosses), ("confidence", confidence), ("swap-device", swapDevice),
    ] { try plan.setOption(key, values) }
    if parts.overwrite { plan.swapPlace?.overwrite = true }
    if let shard = plan.selection.shard, seed.isEmpty {
      throw ValidationError("--shard \(shard): all shards must draw from one seed; give each the same --seed")
    }
    try requireMeeting(plan)
    return plan
  }

  /// - Parameter isExported: whether the guest runs C programs.
  /// - Throws: ValidationError for a target, or a place for swap, that guests do not have.
  func requireGuest(isExported: Bool) throws {
    try parts.requireGuestTarget()
    guard let place = try plan().swapPlace, place.kind != .disk else { return }
    guard place.kind == .zram, !isExported else {
      throw ValidationError(
        "--swap-device \(swapDevice.last ?? ""): a guest has a disk of its own; give 'disk'"
          + (isExported ? "" : " or 'zram'"))
    }
  }

  /// - Throws: ValidationError for a target and a schedule that never meet.
  private func requireMeeting(_ plan: Plan) throws {
    var plan = plan
    plan.selection.shard = nil  // of many shards, some have no case
    let (cases, excluded) = try plan.expand()
    let targets = plan.selection.targets
    guard cases.isEmpty, excluded.isEmpty || targets.contains(where: { !plan.selection.serves($0) }) else {
      return
    }
    let names = targets.map { $0.path ?? $0.kind.name }.joined(separator: ", ")
    throw ValidationError(
      excluded.isEmpty
        ? "nothing is selected" : "--target \(names): \(excluded[0].reason); name another target or schedule")
  }
}

/// How many cases run at once.
struct JobOptions: ParsableArguments {
  @Option(
    help: """
      Cases that run at once, each on CPUs of its own: two to race, one if all are staged. Those that act on the whole \
      machine run before, alone.
      """)
  var jobs = 1

  /// - Throws: ValidationError when this process has too few CPUs for `plan`'s cases.
  func validate(_ plan: Plan) throws {
    if jobs < 1 { throw ValidationError("--jobs \(jobs): a whole number above 0 is needed") }
    let cases = try plan.expand().cases
    do throws(PlanError) {
      _ = try JobSplit(cases, jobs: jobs)
    } catch {
      throw ValidationError(error.description)
    }
  }
}

/// How to report: shared by the commands that give verdicts.
struct ReportOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      ReportFormat.all.map { "\($0.name) (\($0.summary))" }.joined(separator: ", ") + ".", valueName: "format"
    ))
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
