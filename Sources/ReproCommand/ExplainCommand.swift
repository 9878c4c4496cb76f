import ArgumentParser
import Repro

/// `repro explain`: what a scenario does and which bugs it finds, or what is known of a bug.
struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Show a scenario's interleaving and the bugs it finds, or a bug with its kernel versions.")

  @Argument(help: "Scenarios, globs of them, or bugs and guards of the catalogue.") var names: [String]

  func run() throws { print(try Explanation(names).lines.joined(separator: "\n")) }
}
