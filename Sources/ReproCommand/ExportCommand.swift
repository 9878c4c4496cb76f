import ArgumentParser
import Repro

extension Schedule: ExpressibleByArgument {}

/// `repro export`: a scenario as a program of its own.
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write a scenario as one C file, to send to others.",
    discussion: """
      Staged, a read is held in flight and one trial decides. With --schedule race the program is the recipe of \
      2008: threads run free on any path, and it says how many of its reads met the hazard.
      """)

  @Flag(name: .customLong("c"), help: "As C: the one form there is.") var isC = false

  @Argument(help: "A scenario, or a case as 'repro list --cases' names it.") var subject: String
  @Option(help: help("memory")) var memory: [String] = []
  @Option(help: help("engine")) var engine: [String] = []
  @Option(help: "What holds its I/O: \(TargetKind.heldNames).") var target: [String] = []
  @Option(help: "staged or race.") var schedule: Schedule?
  @Flag(
    help:
      "Leave out what only programs need: events (--json), and being /init of a bare kernel, as for vm --arch."
  )
  var short = false
  @Option(name: .shortAndLong, help: "Write to this file, not to standard output.") var output: String?

  func validate() throws {
    if !isC { throw ValidationError("say --c: C is the one form there is") }
  }

  func run() throws {
    var export = try CExport(try one())
    export.isForGuests = !short
    let descriptor = try openOutput(output)
    if let failure = ReportWriter.write(export.source, to: descriptor) {
      throw ValidationError("\(output ?? "standard output"): \(failure)")
    }
  }

  private func one() throws -> Case {
    var plan = Plan(
      CaseName(subject).map { Selection($0) } ?? Selection(scenarios: [subject]), seed: Seed(0))
    let named = CaseName(subject)
    let schedule = schedule ?? named?.schedule ?? .staged
    plan.selection.schedules = [schedule]
    let memory = Scenario.named(subject)?.usualMemory.name ?? "anon"
    for (key, values, usual) in [
      ("memory", self.memory, memory), ("engine", engine, "pread"),
      ("target", target, schedule == .race ? "scratch" : "held"),
    ] {
      let isNamed = named != nil && values.isEmpty
      if !isNamed { try plan.setOption(key, values.isEmpty ? [usual] : values) }
    }
    let (cases, excluded) = try plan.expand()
    guard let one = cases.first, cases.count == 1 else {
      throw ValidationError(
        "\(subject): \(excluded.first?.reason ?? "names \(cases.count) cases; one is exported")")
    }
    return one
  }
}
