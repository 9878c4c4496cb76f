import Foundation
import Repro

/// One run of a report as a merge sees it: everything but the trials, which are counted and, of those that lost
/// data, the first of each case kept.
struct ScannedRun {
  /// The file that it is from.
  let source: String
  var start: RunStart?
  var notes: [String] = []
  var controls: [ControlResult] = []
  var results: [CaseResult] = []
  var losses: [CaseName: [TrialRecord]] = [:]
  var end: RunEnd?
  /// What of it can't be relied upon, one line each.
  var faults: [String] = []
  /// Where its next run, or the end of the file, is, bytes.
  var endOffset = 0

  private var trials: [String: Trials] = [:]

  /// What the lines of a case's trials come to.
  private struct Trials {
    var lines = 0
    var exposures = 0
    var lossLines = 0
    var losses = 0

    mutating func add(exposures: Int, losses: Int) {
      lines += 1
      self.exposures += exposures
      lossLines += losses > 0 ? 1 : 0
      self.losses += losses
    }
  }

  private init(_ source: String) { self.source = source }

  /// Gives each run of the report at `path` to `take`, one after the other.
  /// - Parameter offset: where to begin, bytes.
  /// - Throws: PlanError for a file that is no report at all, and whatever `take` throws.
  static func each(of path: String, from offset: Int = 0, _ take: (ScannedRun) throws -> Void) throws {
    let lines = try ReportLines(path, from: offset)
    let decoder = JSONDecoder()
    var run = ScannedRun(path)
    var isEmpty = true
    func finish() throws {
      if isEmpty { return }
      run.check()
      try take(run)
    }
    while let line = lines.next() {
      if line.isEmpty { continue }
      if run.count(line, decoder) {
        run.endOffset = lines.offset
        continue
      }
      guard let event = try? decoder.decode(Event.self, from: line.data) else {
        if isEmpty, lines.number == 1 {
          throw PlanError(
            "\(path): line 1 is no event of this version of repro; use a report of --format jsonl")
        }
        // Of a file of something else, a few say enough.
        if run.faults.count >= 10 { continue }
        run.faults.append(
          lines.isCut
            ? "\(path): line \(lines.number) is cut off" : "\(path): line \(lines.number) is no event")
        continue
      }
      if case .run = event {
        try finish()
        run = ScannedRun(path)
      }
      isEmpty = false
      run.add(event, line: lines.number)
      run.endOffset = lines.offset
    }
    if isEmpty { throw PlanError("\(path): holds no run; use a report of --format jsonl") }
    try finish()
  }

  // MARK: Reading

  /// Counts a line that is a trial's.
  private mutating func count(_ line: UnsafeRawBufferPointer, _ decoder: JSONDecoder) -> Bool {
    guard let trial = TrialLine(line), let name = trial.name else { return false }
    let key = String(decoding: name, as: UTF8.self)
    if trial.lost > 0, trials[key]?.lossLines ?? 0 < DocumentReport.lossesKept {
      guard let event = try? decoder.decode(Event.self, from: line.data), case .trial(let record) = event
      else {
        return false
      }
      losses[record.case, default: []].append(record)
    }
    trials[key, default: Trials()].add(exposures: trial.inFlight, losses: trial.lost)
    return true
  }

  private mutating func add(_ event: Event, line: Int) {
    switch event {
    case .run(let start):
      self.start = start
      if start.schema != RunStart.currentSchema {
        faults.append("\(source): line \(line) has fields of version \(start.schema)")
      }
    case .note(let note): notes.append(note.text)
    case .control(let control): controls.append(control)
    case .trial(let trial):
      trials["\(trial.case)", default: Trials()].add(exposures: trial.inFlight, losses: trial.lost.count)
      if trial.isLoss, losses[trial.case, default: []].count < DocumentReport.lossesKept {
        losses[trial.case, default: []].append(trial)
      }
    case .result(let result): results.append(result)
    case .end(let end): self.end = end
    }
  }

  // MARK: Checking

  private mutating func check() {
    if start == nil {
      faults.append("\(source): a run that never began: \(end?.reason ?? "nothing is known")")
      return
    }
    let told = Set(results.map { "\($0.case)" })
    if let missing = start?.cases.first(where: { !told.contains("\($0)") }) {
      faults.append("\(source): has no result of \(missing)")
    }
    if told.count < results.count { faults.append("\(source): has two results of one case") }
    if results.count > start?.cases.count ?? 0 {
      faults.append("\(source): has results of cases that it did not run")
    }
    switch end {
    case nil: faults.append("\(source): was cut off before its run ended")
    case .some(let end):
      if let signal = end.interruptedBy { faults.append("\(source): was stopped by signal \(signal)") }
      if end.verdict == .error, !results.contains(where: { $0.verdict == .error }) {
        faults.append("\(source): failed: \(end.reason ?? "nothing is known")")
      }
    }
    for result in results { checkTrials(result) }
  }

  /// The lines of trials must be what the result says. Staged trials are all there, or (a soak's report) only
  /// those that lost data; of a race there are only those.
  private mutating func checkTrials(_ result: CaseResult) {
    let (count, lines) = (result.count, trials["\(result.case)"] ?? Trials())
    func compare(_ there: Int, _ said: Int, _ what: String) {
      if there != said {
        faults.append("\(source): holds \(there) \(what) of \(result.case), and its result says \(said)")
      }
    }
    compare(lines.lossLines, count.lostTrials, "trials with a loss")
    compare(lines.losses, count.losses, "lost pages")
    if lines.lines > lines.lossLines {
      compare(lines.lines, count.trials - count.missed, "trials")
      compare(lines.exposures, count.exposures, "exposures")
    }
  }
}

extension UnsafeRawBufferPointer {
  /// The bytes, not copied.
  fileprivate var data: Data {
    guard let base = baseAddress else { return Data() }
    return Data(bytesNoCopy: UnsafeMutableRawPointer(mutating: base), count: count, deallocator: .none)
  }
}
