import ArgumentParser
import Repro

/// `repro explain`: what a scenario does, and which bugs it finds.
struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Show a scenario's interleaving, and the bugs it finds with their kernel versions.")

  @Argument(help: "Scenarios, or globs of them.") var scenarios: [String]

  func run() throws {
    for scenario in try Selection(scenarios: scenarios).chosenScenarios() {
      print(Explanation(scenario).lines.joined(separator: "\n") + "\n")
    }
  }
}
