import ArgumentParser
import Repro

/// `repro list`: the scenarios.
struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the scenarios, or the known bugs.")

  @Argument(help: "Globs of scenarios to list.") var scenarios: [String] = ["*"]

  @Flag(help: "List the bugs that users can meet, as a Markdown table.") var bugs = false

  func run() throws {
    if bugs {
      print(Catalogue.standard.affectedTable(), terminator: "")
      return
    }
    let names = try Plan.select(scenarios)
    let width = names.map(\.count).max() ?? 0
    for scenario in Scenario.all where names.contains(scenario.name) {
      let blanks = String(repeating: " ", count: width - scenario.name.count)
      print("\(scenario.name)\(blanks)  \(scenario.summary)")
    }
  }
}
