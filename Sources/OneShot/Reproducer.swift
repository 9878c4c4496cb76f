import Glibc
import Repro

/// A plan sealed into this executable: runs it, or tells about it, and takes no other orders.
struct Reproducer {
  private let text: String

  init(_ text: String) { self.text = text }

  func run(_ arguments: [String]) -> Int32 {
    let plan: Plan
    do throws(PlanError) {
      plan = try Plan(text: text)
    } catch {
      OneShot.fail("the sealed plan can't be run: \(error)")
    }
    switch arguments {
    case []:
      ReportWriter.write(description(plan) + "\n", to: STDOUT_FILENO)
      return Session(plan: plan, format: .human, exitCodes: .default).run()
    case ["--show"]:
      ReportWriter.write(text, to: STDOUT_FILENO)
      return 0
    case ["--help"]:
      ReportWriter.write(description(plan) + help, to: STDOUT_FILENO)
      return 0
    default:
      OneShot.fail(
        "'\(arguments.joined(separator: " "))': this reproducer takes --help or --show, or nothing")
    }
  }

  private func description(_ plan: Plan) -> String {
    let scenarios = (try? plan.selection.chosenScenarios()) ?? []
    return scenarios.map { "\($0.name): \($0.summary)\n\n\($0.drawing)\n" }.joined(separator: "\n")
  }

  private let help = """

    A reproducer made by repro: one run, no arguments needed.
    --show prints the sealed configuration, --help this text.
    Exit codes: 0 clean, 1 corrupt, 2 error, 3 inconclusive, 4 skipped.

    """
}
