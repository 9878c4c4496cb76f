import Foundation
import Glibc
import Repro

/// The file of a soak: a JSONL report of its rounds, each a run of its own, one after the other. A round that
/// has its end is a checkpoint; what a kill cut off is ended when the soak goes on.
struct SoakFile {
  let path: String
  let descriptor: CInt

  /// Opens the file, and locks it for as long as this process, or a worker of it, lives.
  /// - Parameter resumes: whether there must be one that goes on; else there must be none.
  /// - Throws: PlanError that names the file and the remedy.
  init(_ path: String, resumes: Bool) throws(PlanError) {
    let flags = resumes ? O_RDWR : O_RDWR | O_CREAT | O_EXCL
    descriptor = open(path, flags | O_APPEND | O_CLOEXEC, 0o644)
    if descriptor < 0 {
      let remedy =
        switch errno {
        case EEXIST: "; --resume goes on with it, or name a new file with --output"
        case ENOENT where resumes: "; without --resume a soak begins"
        default: "; name a file that you may write with --output"
        }
      throw PlanError("\(path): \(String(cString: strerror(errno)))\(remedy)")
    }
    self.path = path
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 { throw PlanError("\(path): another soak is writing it") }
  }

  /// Makes sure that what was written is there after a crash of the machine.
  func sync() throws(PlanError) {
    if fsync(descriptor) != 0 { throw PlanError("\(path): \(String(cString: strerror(errno)))") }
  }

  /// Ends a round that was cut off, if the last one was: what it had found to be lost stays, as all that is
  /// known of it.
  /// - Returns: whether there was one.
  /// - Throws: PlanError for a file that is no soak's.
  func mend() throws -> Bool {
    let size = Int(lseek(descriptor, 0, SEEK_END))
    var whole = 0
    if size > 0 { try ScannedRun.each(of: path) { if $0.end != nil { whole = $0.endOffset } } }
    if whole == size { return false }
    let lines = try ReportLines(path, from: whole)
    var start: RunStart?
    var trials = SeenTrials()
    var kept = whole
    while let line = lines.next(), !lines.isCut {
      guard let event = try? JSONDecoder().decode(Event.self, from: Data(line)) else { break }
      kept = lines.offset
      if case .run(let run) = event { start = run }
      trials.take(event)
    }
    if ftruncate(descriptor, off_t(start == nil ? whole : kept)) != 0 {
      throw PlanError("\(path): \(String(cString: strerror(errno)))")
    }
    guard let start else { return true }
    var ending: [Event] = []
    for name in start.cases where !trials.told.contains(name) {
      let count = trials.count(name)
      ending.append(
        .result(
          CaseResult(
            name, depth: start.plan.depth, verdict: count == nil ? .skipped : .corrupt,
            reason: "the round was cut off", count: count ?? CaseCount())))
    }
    ending.append(.end(RunEnd(verdict: trials.isEmpty ? .skipped : .corrupt, seconds: 0)))
    let text = ending.map { JSONText.line($0) + "\n" }.joined()
    if let failure = ReportWriter.write(text, to: descriptor) { throw PlanError("\(path): \(failure)") }
    try sync()
    return true
  }
}

/// A round as the file has it: trials that lost nothing are in the sums alone, and a round that somebody
/// stopped is one that ended early.
struct RoundReport: Report {
  static let format = ReportFormat("round", "a round of a soak", isSequence: true) { _ in RoundReport() }

  func lines(for event: Event) -> [String] {
    switch event {
    case .trial(let trial) where !trial.isLoss: return []
    case .end(var end):
      end.interruptedBy = nil
      return [JSONText.line(Event.end(end))]
    default: return [JSONText.line(event)]
    }
  }

  func broken(_ reason: String) -> [String] { JSONLinesReport().broken(reason) }
}
