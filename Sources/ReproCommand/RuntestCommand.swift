import ArgumentParser
import Repro
import ReproLab

/// `repro runtest`: the suite as a folder of another test runner.
struct RuntestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runtest",
    abstract: "Write the suite as a folder for LTP's runner kirk, or for the kernel's kselftest.",
    discussion: """
      ltp: an LTPROOT with a test a case; 'LTPROOT=FOLDER kirk --run-suite repro' runs it. kselftest: a folder \
      to copy to tools/testing/selftests, with a program a case that prints KTAP. Both hold the static \
      executable and need nothing else of the machine.
      """)

  /// Whose folder.
  enum Kind: String, ExpressibleByArgument, CaseIterable { case ltp, kselftest }

  @Option(name: .shortAndLong, help: "The folder to write.") var output: String
  @Option(name: .customLong("for"), help: "ltp or kselftest.") var kind: Kind = .ltp
  @Option(help: "The static executable to put into it.") var oneShot: String?
  @OptionGroup var options: PlanOptions

  func run() throws {
    let plan = try options.plan()
    let keepsSeed = !options.seed.isEmpty
    let folder =
      switch kind {
      case .ltp: try RunnerFolder.ltp(plan, keepsSeed: keepsSeed)
      case .kselftest: try RunnerFolder.kselftest(plan, keepsSeed: keepsSeed)
      }
    try folder.write(to: output, oneShot: try OneShotExecutable.locate(oneShot))
  }
}
