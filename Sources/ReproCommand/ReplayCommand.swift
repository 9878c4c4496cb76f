import ArgumentParser
import Foundation
import Repro
import ReproLab

/// Trials of a JSONL report, chosen as `REPORT`, `REPORT#TRIAL` or `REPORT#CELL:TRIAL`.
struct ReportedTrials {
  let plan: Plan
  let trials: [TrialRecord]

  /// - Throws: ValidationError that names the report and what is wrong with it.
  init(_ reference: String) throws {
    let parts = reference.split(separator: "#", maxSplits: 1).map(String.init)
    let path = parts.first ?? ""
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ValidationError("\(path): no report there; name a file made with --format jsonl")
    }
    var plan: Plan?
    var trials: [TrialRecord] = []
    for (index, line) in String(decoding: data, as: UTF8.self).split(separator: "\n").enumerated() {
      do {
        switch try JSONDecoder().decode(Event.self, from: Data(line.utf8)) {
        case .run(let start): plan = start.plan
        case .trial(let trial): trials.append(trial)
        default: break
        }
      } catch {
        throw ValidationError(
          "\(path): line \(index + 1) is no event of repro; use a report of --format jsonl")
      }
    }
    guard let plan else { throw ValidationError("\(path): the report does not say how it was made") }
    self.plan = plan
    self.trials = try Self.choose(trials, parts.count > 1 ? parts[1] : nil, path)
  }

  private static func choose(
    _ trials: [TrialRecord], _ choice: String?, _ path: String
  ) throws -> [TrialRecord] {
    guard let choice else {
      if trials.isEmpty { throw ValidationError("\(path): holds no trials") }
      let losses = trials.filter(\.isLoss)
      return losses.isEmpty ? trials : losses
    }
    let parts = choice.split(separator: ":").map(String.init)
    guard let number = parts.last.flatMap(Int.init), parts.count <= 2 else {
      throw ValidationError(
        "'#\(choice)' is no trial; write #TRIAL or #CELL:TRIAL, as in #fork.pread.staged:3")
    }
    let found = trials.filter { $0.trial == number && (parts.count == 1 || $0.cell == parts[0]) }
    if found.isEmpty { throw ValidationError("\(path): has no trial '\(choice)'") }
    if found.count > 1 {
      let names = found.map { "#\($0.cell):\($0.trial)" }.joined(separator: ", ")
      throw ValidationError("'#\(choice)' is one of \(names); name one")
    }
    return found
  }

  /// The trials cell by cell: each cell needs a run of its own.
  var cells: [[TrialRecord]] {
    var cells: [[TrialRecord]] = []
    for trial in trials {
      if let index = cells.firstIndex(where: { $0[0].cell == trial.cell }) {
        cells[index].append(trial)
      } else {
        cells.append([trial])
      }
    }
    return cells
  }
}

/// `repro replay`: trials of a report again.
struct ReplayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Run trials of a JSONL report again, and say whether the damage came back.",
    discussion: """
      Without #TRIAL, all trials of the report that lost data (all trials if none did) are run. \
      Exit codes as for 'run': 1 when data was lost again.
      """)

  @Argument(help: "REPORT, REPORT#TRIAL or REPORT#CELL:TRIAL.") var report: String
  @Option(help: "How often to run each trial. Default: 10 for one trial, 1 for several.") var times: Int?
  @Option(help: "Run on this kernel in a guest, not on this machine's.") var kernel: String?
  @OptionGroup var guest: GuestOptions
  @OptionGroup var reporting: ReportOptions

  func validate() throws {
    if let times, times < 1 { throw ValidationError("--times \(times): a number above 0 is needed") }
  }

  func run() async throws {
    let reported = try ReportedTrials(report)
    let times = times ?? (reported.trials.count == 1 ? 10 : 1)
    let codes = reporting.exitCodes
    var verdicts: [Int32] = []
    let output = try openOutput(reporting.output)
    for trials in reported.cells {
      let plan = try Replay.plan(trials, of: reported.plan, times: times)
      if let kernel {
        let writer = ReportWriter(reporting.format.make(codes), output: output)
        let outcome = try await guest.session(kernel, plan, codes).run(Replay(trials, writer))
        verdicts.append(codes.code(outcome.end.verdict))
      } else {
        var session = Session(plan: plan, format: reporting.format, exitCodes: codes, output: output)
        session.originals = trials
        verdicts.append(session.run())
      }
    }
    // A loss outranks all; else the first that is not clean.
    let failure = verdicts.first { $0 == codes.code(.corrupt) } ?? verdicts.first { $0 != 0 }
    throw ExitCode(failure ?? 0)
  }
}
