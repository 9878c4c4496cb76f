import ArgumentParser
import Glibc
import Repro
import ReproLab

/// The one case that a bisection or a calibration is about.
struct CaseOptions: ParsableArguments {
  @Argument(help: "The scenario.") var scenario: String
  @Option(help: help("memory")) var memory: [String] = []
  @Option(help: help("engine")) var engine: [String] = ["pread"]
  @Option(help: "File of loss rates. Default: \(LossRates.standardPath).") var rates: String?

  var ratesPath: String { rates ?? LossRates.standardPath }

  /// The case, under the given schedule.
  func selection(_ schedule: String, target: [String] = []) throws -> Selection {
    var plan = Plan(Selection(scenarios: [scenario]), seed: Seed(0))
    try plan.setOption("memory", memory)
    try plan.setOption("engine", engine)
    try plan.setOption("schedule", [schedule])
    try plan.setOption("target", target)
    return plan.selection
  }
}

/// Watches nothing: for commands that only want the outcome.
final class Silence: Observer {
  func receive(_ event: Event) {}
  func progress(fraction: Double, case name: CaseName) {}
}

/// `repro bisect`: one step of `git bisect run`.
struct BisectCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bisect",
    abstract: "Decide one kernel for 'git bisect run': exit 0 good, 1 bad, 125 can't tell.",
    discussion: """
      A staged scenario decides in a few trials. For a race, 'repro calibrate' first measures how often \
      a known-bad kernel loses; good then needs enough exposures to be sure.
      """)

  @Option(help: "The kernel to decide.") var kernel: String
  @Option(help: "staged or race.") var schedule = "staged"
  @Flag(
    help: "Look for the fix: a kernel that loses data is the old state (0), one that doesn't the new (1).")
  var fixed = false
  @Option(help: "For a staged scenario: \(TargetKind.heldNames).") var target: [String] = []
  @Option(help: "How sure a good of a race must be.") var confidence: Double = 0.999
  @OptionGroup var one: CaseOptions
  @OptionGroup var guest: GuestOptions

  func run() async throws {
    let step: Bisection
    let outcome: GuestSession.Outcome
    do {
      guard confidence > 0, confidence < 1 else {
        throw ValidationError("--confidence \(confidence): a number between 0 and 1 is needed")
      }
      var guest = guest
      guest.accelerator = try await guest.accelerator.probed()
      step = Bisection(
        looksForFix: fixed, confidence: confidence, rates: try LossRates(path: one.ratesPath),
        accelerator: guest.accelerator)
      let plan = try step.plan(try one.selection(schedule, target: target), seed: .random)
      var session = try await guest.session(kernel, plan, .bisect)
      session.isLean = true
      outcome = try await guest.run(session, Silence())
    } catch let code as ExitCode {
      throw code
    } catch {
      ReportWriter.write("repro: can't tell: \(error)\n", to: STDERR_FILENO)
      throw ExitCode(ExitCodes.bisect.code(.error))
    }
    let (answer, why) = step.answer(outcome)
    let release = outcome.start.map { " on \($0.release)" } ?? ""
    print("\(answer == .unknown ? "can't tell" : answer.rawValue)\(release): \(why)")
    throw ExitCode(step.exitCode(answer))
  }
}

/// `repro calibrate`: measures how often a known-bad kernel loses data in a race.
struct CalibrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calibrate",
    abstract: "Measure a race's loss rate on a known-bad kernel, for later bisections.")

  @Option(help: "A kernel that is known to be bad.") var kernel: String
  @Option(help: "Seconds to measure.") var time: Double = 10
  @OptionGroup var one: CaseOptions
  @OptionGroup var guest: GuestOptions

  func validate() throws {
    if !(time > 0 && time.isFinite) {
      throw ValidationError("--time \(time): a number of seconds above 0 is needed")
    }
  }

  func run() async throws {
    var rates = try LossRates(path: one.ratesPath)
    var plan = try Bisection(looksForFix: false, confidence: 0.999, rates: rates).plan(
      try one.selection("race"), seed: .random)
    plan.stopAfterLosses = nil
    plan.minimumExposures = nil
    plan.time = time
    let outcome = try await guest.run(guest.session(kernel, plan, .default), Silence())
    let rate: LossRates.Rate
    do {
      rate = try rates.keep(outcome)
    } catch {
      ReportWriter.write("repro: error: \(kernel): \(error)\n", to: STDERR_FILENO)
      throw ExitCode(ExitCodes.default.code(.error))
    }
    try rates.write(to: one.ratesPath)
    print("\(rate.case): \(rate.explanation(confidence: 0.999))")
    print("kept in \(one.ratesPath); bisections in the same place can say good by it")
  }
}
