import Glibc
public import Repro

/// Makes one run of many: of the shards of a plan, of the same plan run again with other seeds, of the rounds of
/// a soak. Sums are exact, and bounds are those of the sums.
///
/// What can't be relied upon (a shard that is missing, failed or cut off, another kernel, another plan) makes
/// the whole an error, never clean. It holds one entry a case and one a seed, and no trials.
public struct ReportMerge {
  /// How the first run was made; nil when none is there.
  private(set) var start: RunStart?
  private var sources: [String] = []
  private var wholes: [UInt64: Whole] = [:]
  private var controls: [ControlResult] = []
  private var tallies: [String: CaseTally] = [:]
  private var losses: [CaseName: [TrialRecord]] = [:]
  private var notes: [String] = []
  /// The time of all runs, seconds.
  private(set) var seconds = 0.0
  /// What makes the whole an error, one line each.
  public private(set) var faults: [String] = []
  /// How many runs there are.
  private(set) var runs = 0

  /// One plan with one seed, of which there may be several shards.
  private struct Whole {
    var count: Int
    /// Which of its shards are there, and from where.
    var sources: [Int: String] = [:]
    var cases = 0
  }

  /// The cases of each shard of the first whole, which say the order.
  private var shares: [Int: [CaseName]] = [:]
  private var firstSeed: UInt64?

  /// Nothing yet.
  public init() {}

  /// Adds the report at `path`. One that is not there, or none, is a fault.
  /// - Throws: PlanError when a shard comes twice: its trials would count twice.
  public mutating func add(_ path: String) throws(PlanError) {
    try add(path, from: 0)
  }

  /// Adds the runs of the report at `path` from a byte on.
  /// - Returns: where the last of them ends, bytes.
  @discardableResult
  mutating func add(_ path: String, from offset: Int) throws(PlanError) -> Int {
    var end = offset
    var refusal: PlanError?
    do {
      try ScannedRun.each(of: path, from: offset) { run in
        end = run.endOffset
        do throws(PlanError) {
          try add(run)
        } catch {
          refusal = error
          throw error
        }
      }
    } catch {
      if let refusal { throw refusal }
      faults.append("\(error)")
    }
    if offset == 0 { sources.append(path) }
    return end
  }

  private mutating func add(_ run: ScannedRun) throws(PlanError) {
    faults += run.faults
    seconds += run.end?.seconds ?? 0
    guard let start = run.start else { return }
    runs += 1
    if let first = self.start {
      let differences = Self.differences(start, first)
      faults += differences.map { "\(run.source): \($0)" }
      if !differences.isEmpty { return }
      if start.processors != first.processors {
        note("\(run.source) is of a machine with \(start.processors) CPUs, not \(first.processors)")
      }
    } else {
      self.start = start
    }
    guard try place(run, start) else { return }
    for text in run.notes where !text.hasPrefix(Appraisal.racedOnlyMark) { note(text) }
    for control in run.controls { add(control) }
    for result in run.results { add(result) }
    for (name, trials) in run.losses {
      let room = DocumentReport.lossesKept - losses[name, default: []].count
      losses[name, default: []] += trials.prefix(max(0, room))
    }
  }

  /// Finds which part of the whole the run is.
  /// - Returns: false when it can't be one.
  private mutating func place(_ run: ScannedRun, _ start: RunStart) throws(PlanError) -> Bool {
    let (seed, shard) = (start.plan.seed.value, start.plan.selection.shard)
    var whole = wholes[seed] ?? Whole(count: shard?.count ?? 1)
    if whole.count != shard?.count ?? 1 {
      faults.append("\(run.source): is shard \(shard.map { "\($0)" } ?? "1/1"), others are of \(whole.count)")
      return false
    }
    if let other = whole.sources[shard?.index ?? 1] {
      let what = shard.map { "shard \($0)" } ?? "the run"
      throw PlanError(
        "\(run.source): \(what) with seed \(start.plan.seed) is there already, from \(other); give each once")
    }
    whole.sources[shard?.index ?? 1] = run.source
    whole.cases += start.cases.count
    wholes[seed] = whole
    firstSeed = firstSeed ?? seed
    if firstSeed == seed { shares[shard?.index ?? 1] = start.cases }
    return true
  }

  private mutating func note(_ text: String) { if !notes.contains(text) { notes.append(text) } }

  private mutating func add(_ control: ControlResult) {
    if let index = controls.firstIndex(where: { $0.lane == control.lane }) {
      controls[index].add(control)
    } else {
      controls.append(control)
    }
  }

  private mutating func add(_ result: CaseResult) {
    if tallies["\(result.case)"]?.add(result) == nil { tallies["\(result.case)"] = CaseTally(result) }
  }

  /// What two runs must have in common.
  static func differences(_ one: RunStart, _ other: RunStart) -> [String] {
    var lines: [String] = []
    func compare(_ what: String, _ a: String, _ b: String) {
      if a != b { lines.append("is of another \(what): \(a), not \(b)") }
    }
    func kind(_ plan: Plan) -> String {
      var plan = plan
      plan.selection.shard = nil
      plan.seed = Seed(0)
      return plan.text.split(separator: "\n").joined(separator: " ")
    }
    compare("kernel", "\(one.release) \(one.build)", "\(other.release) \(other.build)")
    compare("machine", one.machine, other.machine)
    compare("page size", "\(one.pageSize)", "\(other.pageSize)")
    compare("version of repro", one.version, other.version)
    compare("plan", kind(one.plan), kind(other.plan))
    return lines
  }

  // MARK: What it comes to

  /// What each case comes to so far, in no order.
  var results: [CaseResult] {
    tallies.values.map { $0.result(start?.plan ?? Plan(Selection(), seed: Seed(0))) }
  }

  /// The cases in the order of the whole plan; those of what is there when something is missing.
  private var order: [CaseName] {
    let there = shares.sorted { $0.key < $1.key }.map(\.value)
    return Shard.whole(there) ?? there.flatMap(\.self)
  }

  private var missing: [String] {
    var lines: [String] = []
    for (seed, whole) in wholes.sorted(by: { $0.key < $1.key }) {
      let gone = (1...whole.count).filter { whole.sources[$0] == nil }
      if !gone.isEmpty {
        let names = gone.map { "\($0)/\(whole.count)" }.joined(separator: ", ")
        lines.append("shard \(names) of seed \(Seed(seed)) is missing")
      } else if whole.cases != tallies.count {
        lines.append(
          "the runs of seed \(Seed(seed)) have \(whole.cases) cases, and there are \(tallies.count)")
      }
    }
    return lines
  }

  /// The run as one, without its trials but for the first losses of each case.
  /// - Parameter exitCodes: the dialect whose rule makes one verdict of many.
  /// - Throws: PlanError when not one run is there.
  public func events(_ exitCodes: ExitCodes) throws(PlanError) -> [Event] {
    guard var start else { throw PlanError(faults.first ?? "there is no run to merge") }
    start.plan.selection.shard = nil
    start.cases = order
    let faults = faults + missing
    let results = start.cases.compactMap { tallies["\($0)"]?.result(start.plan) }
    let (verdict, reason) = Self.end(results, faults, exitCodes)
    var events: [Event] = [.run(start)]
    let raced = Appraisal.racedOnly(results)
    let made = "made of \(runs) run\(runs == 1 ? "" : "s"); the time is the sum of theirs"
    events += ([made] + notes + raced + faults.map { "fault: \($0)" }).map { .note(Note($0)) }
    events += controls.map { .control($0) }
    for result in results {
      events += (losses[result.case] ?? []).map { .trial($0) } + [.result(result)]
    }
    return events + [.end(RunEnd(verdict: verdict, reason: reason, seconds: seconds))]
  }

  private static func end(
    _ results: [CaseResult], _ faults: [String], _ exitCodes: ExitCodes
  ) -> (Verdict, String?) {
    guard let fault = faults.first else {
      let verdict = results.isEmpty ? .skipped : exitCodes.overall(results.map(\.verdict))
      return (verdict, results.first { $0.verdict == .error }?.reason)
    }
    let more = faults.count > 1 ? " (and \(faults.count - 1) more)" : ""
    let corrupt = results.count { $0.verdict == .corrupt }
    let lost = corrupt > 0 ? "; data was lost in \(corrupt) cases of what is there" : ""
    return (.error, "\(fault)\(more)\(lost)")
  }

  /// Writes the merged run as JSON lines: as ``events(_:)``, but with every trial of the reports, as it stands
  /// there.
  /// - Parameter output: where to; stays open.
  /// - Throws: PlanError when a report can't be read again or not all can be written.
  public func write(_ exitCodes: ExitCodes, to output: CInt) throws(PlanError) {
    let events = try events(exitCodes)
    let buffer = OutputBuffer(output)
    for event in events where event.isHead { buffer.add(JSONText.line(event)) }
    for source in sources {
      guard let lines = try? ReportLines(source) else { continue }
      while let line = lines.next() { if TrialLine(line) != nil { buffer.add(line) } }
    }
    for event in events where event.isTail { buffer.add(JSONText.line(event)) }
    buffer.flush()
    if let failure = buffer.failure { throw PlanError("the report is incomplete: \(failure)") }
  }
}

extension Event {
  /// Whether it comes before the trials.
  fileprivate var isHead: Bool {
    switch self {
    case .run, .note, .control: true
    case .trial, .result, .end: false
    }
  }

  /// Whether it can come after them.
  fileprivate var isTail: Bool {
    switch self {
    case .result, .end: true
    case .run, .note, .control, .trial: false
    }
  }
}

/// Lines that are written a megabyte at a time.
private final class OutputBuffer {
  private let descriptor: CInt
  private var bytes: [UInt8] = []
  private(set) var failure: KernelError?

  private static let size = 1 << 20

  init(_ descriptor: CInt) {
    self.descriptor = descriptor
    bytes.reserveCapacity(2 * Self.size)
  }

  func add(_ line: UnsafeRawBufferPointer) {
    bytes.append(contentsOf: line)
    bytes.append(0x0a)
    if bytes.count >= Self.size { flush() }
  }

  func add(_ line: String) {
    var line = line
    line.withUTF8 { add(UnsafeRawBufferPointer($0)) }
  }

  func flush() {
    let error = bytes.withUnsafeBytes { ReportWriter.write($0, to: descriptor) }
    failure = failure ?? error
    bytes.removeAll(keepingCapacity: true)
  }
}
