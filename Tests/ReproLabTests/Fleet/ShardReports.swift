import Foundation
import TestHost

@testable import Repro
@testable import ReproLab

/// Reports of shards by hand, whose lines of trials are what their results say.
struct ShardReports {
  static let cases: [CaseName] = ["control-none", "fork", "pageout", "ksm"].flatMap { scenario in
    ["pread", "libaio"].map { engine in
      CaseName(scenario: scenario, memory: "anon", engine: engine, target: "held", schedule: .staged)
    }
  }

  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The trials of a case: of `fork.libaio` the second lost two pages.
  static func trials(_ name: CaseName, _ seed: UInt64) -> [TrialRecord] {
    let place = cases.firstIndex(of: name) ?? 0
    return (0..<4 + place).map { number in
      let isLoss = name.scenario == "fork" && name.engine == "libaio" && number == 1
      return TrialRecord(
        case: name, trial: number, depth: 4, inFlight: number == 2 ? 0 : 4, lost: isLoss ? [0, 3] : [],
        guards: isLoss ? [:] : ["fork-copies-pinned": 4],
        hazards: [.applied("child forked \"and\" gone é\n")],
        damage: [], frameBefore: seed, offset: 0, length: 3584,
        timeline: [Mark(at: 12, agent: "I/O thread", what: "read")])
    }
  }

  static func plan(_ seed: UInt64 = 5) -> Plan {
    var plan = Plan(Selection(scenarios: ["control-none", "fork", "pageout", "ksm"]), seed: Seed(seed))
    plan.selection.engines = [.pread, .libaio]
    plan.selection.schedules = [.staged]
    return plan
  }

  static func result(_ name: CaseName, _ seed: UInt64 = 5, least: Int = 3) -> CaseResult {
    var count = CaseCount()
    for trial in trials(name, seed) { count.add(trial) }
    count.seconds = 0.5
    let (verdict, reason) = count.verdict(atLeast: least)
    var result = CaseResult(
      case: name, role: name.scenario == "control-none" ? .negativeControl : .hazard, depth: 4,
      opened: "held",
      path: .fuse, verdict: verdict, reason: reason, count: count,
      bugs: verdict == .corrupt ? ["fork-fuse"] : [])
    result.bound(confidence: 0.95)
    return result
  }

  /// The events of one shard; of the whole run without one.
  static func events(
    _ shard: Shard?, seed: UInt64 = 5, cases: [CaseName] = Self.cases,
    change: (inout RunStart) -> Void = { _ in }
  ) -> [Event] {
    let share = shard?.share(of: cases) ?? cases
    var start = SampleRun.start
    start.plan = plan(seed)
    start.plan.selection.shard = shard
    start.cases = share
    change(&start)
    var events: [Event] = [.run(start)]
    for engine in [EngineKind.pread, .libaio] where share.contains(where: { $0.engine == engine.name }) {
      var control = ControlResult(
        Lane(memory: .anon, engine: engine, target: TargetSpec(.held), schedule: .staged))
      (control.trials, control.fired, control.quietTrials, control.isSound) = (3, 3, 3, true)
      events.append(.control(control))
    }
    for name in share {
      events +=
        trials(name, seed).map(Event.trial) + [
          .result(result(name, seed, least: start.plan.minimumExposures(.staged)))
        ]
    }
    let verdict = ExitCodes.default.overall(share.map { result($0, seed).verdict })
    return events + [.end(RunEnd(verdict: share.isEmpty ? .skipped : verdict, seconds: 2))]
  }

  static func text(_ events: [Event]) -> String { events.map { JSONText.line($0) + "\n" }.joined() }

  /// Changes how a report says that its run began.
  static func change(_ events: inout [Event], _ change: (inout RunStart) -> Void) {
    guard case .run(var start) = events[0] else { return }
    change(&start)
    events[0] = .run(start)
  }

  /// Writes a report.
  /// - Returns: its path.
  @discardableResult
  func write(_ events: [Event], _ name: String) throws -> String {
    try folder.write(Self.text(events), to: name)
    return folder(name)
  }

  /// Writes the reports of all shards.
  func write(shards count: Int) throws -> [String] {
    try (1...count).map { try write(Self.events(Shard($0, of: count)), "\($0)-\(count).jsonl") }
  }

  /// The merged run of `paths`.
  static func merge(_ paths: [String]) throws -> RunSummary {
    var merge = ReportMerge()
    for path in paths { try merge.add(path) }
    return RunSummary(try merge.events(.default))
  }
}
