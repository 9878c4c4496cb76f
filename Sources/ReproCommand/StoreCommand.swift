import ArgumentParser
import Repro
import ReproLab

/// `repro store`: results of many runs, kept and compared.
struct StoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "store", abstract: "Keep results of runs in a SQLite file, and compare kernels.",
    subcommands: [Add.self, Show.self, Diff.self, Trend.self])

  /// Where the results are.
  struct File: ParsableArguments {
    @Option(help: "The SQLite file.") var store = "repro.sqlite"

    func history() throws -> KernelHistory { KernelHistory(try ResultStore(store).runs()) }
  }

  /// `repro store add`.
  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add JSONL reports; what is there already is left alone.",
      discussion: "Each report is added whole or not at all. One that was cut off is refused with its line.")
    @OptionGroup var file: File
    @Argument(help: "Reports made with --format jsonl.") var reports: [String]

    func run() throws {
      let store = try ResultStore(file.store, create: true)
      for report in reports {
        let added = try store.add(report)
        print("\(report): " + (added == 0 ? "there already" : "\(added) run\(added == 1 ? "" : "s") added"))
      }
    }
  }

  /// `repro store show`.
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show what is kept, a line a kernel.")
    @OptionGroup var file: File

    func run() throws { for line in try file.history().lines { print(line) } }
  }

  /// `repro store diff`.
  struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show what changed between two kernels.",
      discussion: """
        A kernel is a version (6.1.176), a series (6.1) or a release (uname -r). Exit codes: 0 no new damage; \
        1 a case is corrupt that was not; 2 a case is an error that was none; 3 what was known of the old \
        kernel can't be told of the new.
        """)
    @OptionGroup var file: File
    @Argument(help: "The kernel before.") var old: String
    @Argument(help: "The kernel after.") var new: String

    func run() throws {
      let history = try file.history()
      let (lines, code) = history.difference(try history.kernel(old), try history.kernel(new))
      for line in lines { print(line) }
      throw ExitCode(code)
    }
  }

  /// `repro store trend`.
  struct Trend: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show a case on every kernel.")
    @OptionGroup var file: File
    @Argument(help: "The case: fork.pread.staged.") var `case`: String

    func run() throws {
      let history = try file.history()
      guard let name = history.cases.first(where: { "\($0)" == `case` }) else {
        throw ValidationError("no case '\(`case`)' in \(file.store); 'repro list --cases' shows names")
      }
      for line in history.trend(name) { print(line) }
    }
  }
}
