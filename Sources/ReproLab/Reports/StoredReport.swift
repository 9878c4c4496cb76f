import Foundation
public import Repro
import Synchronization

/// Runs read back from what `--format jsonl` wrote.
public struct StoredReport: Sendable {
  /// The events of each run, in order; a file may hold several runs, one after the other.
  public let runs: [[Event]]

  /// Which trials are wanted. Reading those that lost nothing takes nearly all of the time.
  public enum Trials: Sendable {
    /// Every trial.
    case all
    /// Only those that lost data: all that most reports tell of.
    case losses
  }

  /// Reads the report at `path`.
  /// - Throws: PlanError that names the file, and the line that is none of a report.
  public init(_ path: String, _ trials: Trials = .all) throws(PlanError) {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw PlanError("\(path): no report there; name a file made with --format jsonl")
    }
    try self.init(data, path, trials)
  }

  init(_ data: Data, _ path: String, _ trials: Trials) throws(PlanError) {
    let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    var runs: [[Event]] = []
    var number = 0
    for event in Self.decode(lines, trials) {
      number += 1
      switch event {
      case .nothing: continue
      case .unread:
        throw PlanError(
          "\(path): line \(number) is no event of this version of repro; use a report of --format jsonl")
      case .event(.run(let start)):
        if start.schema != RunStart.currentSchema {
          throw PlanError(
            "\(path): line \(number) has fields of version \(start.schema), this version of repro reads "
              + "\(RunStart.currentSchema)")
        }
        runs.append([.run(start)])
      case .event(let event):
        // A run that broke before it began is an end alone.
        if runs.isEmpty, case .end = event { runs.append([]) }
        if runs.isEmpty { throw PlanError("\(path): the report does not say how it was made") }
        runs[runs.count - 1].append(event)
      }
    }
    if runs.isEmpty { throw PlanError("\(path): the report does not say how it was made") }
    self.runs = runs
    lineCount = lines.last?.isEmpty == true ? lines.count - 1 : lines.count
    source = path
  }

  private let lineCount: Int
  private let source: String

  /// Why the report is not all of its run; nil when each run came to its end.
  public var torn: String? {
    for (index, run) in runs.enumerated() where !run.contains(where: \.isEnd) {
      return index == runs.count - 1
        ? "\(source): ends at line \(lineCount), before its run did"
        : "\(source): run \(index + 1) of \(runs.count) has no end"
    }
    return nil
  }

  /// The runs; those that were cut off end as errors.
  public var completed: [[Event]] {
    runs.map { run in
      run.contains(where: \.isEnd)
        ? run : run + [.end(RunEnd(verdict: .error, reason: torn, seconds: 0))]
    }
  }

  // MARK: Lines

  private enum Line: Sendable {
    case event(Event)
    /// A blank line, or a trial that is not wanted.
    case nothing
    case unread
  }

  /// All lines, on all CPUs.
  private static func decode(_ lines: [Data], _ trials: Trials) -> [Line] {
    let parts = lines.count < 1000 ? 1 : max(1, ProcessInfo.processInfo.activeProcessorCount)
    let decoded = Mutex<[Int: [Line]]>([:])
    @Sendable func decodePart(_ part: Int) {
      let range = lines.count * part / parts..<lines.count * (part + 1) / parts
      let decoder = JSONDecoder()
      let found = range.map { decode(lines[$0], decoder, trials) }
      decoded.withLock { $0[part] = found }
    }
    let threads = (1..<parts).map { part in (part, try? SystemThread { decodePart(part) }) }
    decodePart(0)
    for (part, thread) in threads {
      if let thread { thread.join() } else { decodePart(part) }
    }
    let all = decoded.withLock { $0 }
    return (0..<parts).flatMap { all[$0] ?? [] }
  }

  private static func decode(_ line: Data, _ decoder: JSONDecoder, _ trials: Trials) -> Line {
    if line.isEmpty { return .nothing }
    if case .losses = trials, line.withUnsafeBytes({ TrialLine($0)?.lost }) == 0 { return .nothing }
    return (try? decoder.decode(Event.self, from: line)).map(Line.event) ?? .unread
  }
}

extension Event {
  /// Whether a run ends with it.
  var isEnd: Bool { if case .end = self { true } else { false } }
}
