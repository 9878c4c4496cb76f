import ArgumentParser
import Repro
import ReproLab

/// `repro list`: the scenarios.
struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the parts of cases, the cases themselves, or the known bugs.")

  @OptionGroup var options: PlanOptions

  @Flag(help: "List the cases that the options select.") var cases = false

  @Flag(help: "List what of all combinations is left out, and why.") var whyNot = false

  @Flag(help: "List the bugs that users can meet, as a Markdown table.") var bugs = false

  @Flag(help: "Write docs/hazards.md: every hazard, its guards and its records.") var hazardsPage = false

  func run() throws {
    if hazardsPage {
      print(HazardsPage().text, terminator: "")
      return
    }
    if bugs {
      print(Catalogue.measured.affectedTable(), terminator: "")
      return
    }
    var plan = try options.plan()
    if cases {
      for line in try CaseList(plan).cases() { print(line) }
    } else if whyNot {
      plan.selection.isExhaustive = true
      plan.selection.schedules = Schedule.allCases
      for line in try CaseList(plan).whyNot() { print(line) }
    } else {
      let axes: [(String, [any Part])] = [
        ("scenarios", try plan.selection.scenarios.isEmpty ? Scenario.all : plan.selection.chosenScenarios()),
        ("memories", MemoryKind.all), ("engines", EngineKind.all), ("targets", TargetKind.all),
      ]
      let width = axes.flatMap { $0.1 }.map(\.name.count).max() ?? 0
      for (axis, parts) in axes {
        print("\(axis):")
        for part in parts {
          print("  \(part.name)\(String(repeating: " ", count: width - part.name.count))  \(part.summary)")
        }
      }
    }
  }
}
