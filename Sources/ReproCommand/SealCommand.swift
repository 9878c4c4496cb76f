import ArgumentParser
import Foundation
import Repro
import ReproLab

/// `repro seal`: one file for one bug.
struct SealCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seal",
    abstract: "Write a static executable that runs one scenario, or one trial of a report, and nothing else.")

  @Argument(help: "A scenario, or REPORT#TRIAL of a JSONL report.") var subject: String
  @Option(name: .shortAndLong, help: "The executable to write; it must not exist yet.") var output: String
  @Option(help: "Trials.") var trials: Int = 20
  @Option(help: "staged or race, for a scenario.") var schedule = "staged"
  @Option(help: help("memory")) var memory: [String] = []
  @Option(help: help("engine")) var engine: [String] = ["pread"]
  @Option(help: "For a staged scenario: \(TargetKind.heldNames).") var target: [String] = []
  @Option(help: help("depth")) var depth: [String] = []
  @Option(help: "The static executable to seal into.") var oneShot: String?

  func validate() throws {
    if trials < 1 { throw ValidationError("--trials \(trials): a number above 0 is needed") }
  }

  func run() throws {
    let text =
      "# sealed by repro \(Campaign.version) from \(subject.split(separator: "\n").joined())\n"
      + (try plan().text)
    let source = try OneShotExecutable.locate(oneShot)
    if try Seal.text(of: source) != nil {
      throw ValidationError("\(source): something is sealed into it already; name a bare one with --one-shot")
    }
    guard let executable = FileManager.default.contents(atPath: source) else {
      throw ValidationError("\(source): cannot be read")
    }
    guard !FileManager.default.fileExists(atPath: output) else {
      throw ValidationError("\(output): exists; name a new file")
    }
    do {
      try (executable + Data(Seal.trailer(text))).write(to: URL(fileURLWithPath: output), options: .atomic)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: output)
    } catch {
      throw ValidationError("\(output): \(error.localizedDescription); name a file that you may write")
    }
    print("\(output): \(executable.count + Seal.trailer(text).count) bytes, runs \(subject)")
  }

  private func plan() throws -> Plan {
    if !subject.contains("#") && !subject.hasSuffix(".jsonl") {
      var plan = Plan(Selection(scenarios: [subject]), seed: .random)
      try plan.setOption("memory", memory)
      try plan.setOption("engine", engine)
      try plan.setOption("schedule", [schedule])
      try plan.setOption("target", target)
      try plan.setOption("depth", depth)
      plan.trials = trials
      let (cases, excluded) = try plan.expand()
      if cases.isEmpty {
        throw ValidationError("nothing is left to seal: \(excluded.first?.reason ?? "no case is selected")")
      }
      return plan
    }
    let reported = try ReportedTrials(subject)
    guard reported.cases.count == 1 else {
      throw ValidationError(
        "\(subject): has trials of \(reported.cases.count) cases; name one with #CASE:TRIAL")
    }
    return try Replay.plan(
      reported.trials, of: reported.plan, times: max(1, trials / reported.trials.count))
  }
}
