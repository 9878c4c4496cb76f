import Foundation
import Testing

@testable import Repro
@testable import ReproLab

@Suite("Replay")
struct ReplayTests {
  /// A trial that lost data at `offset`, or one that lost none.
  private func trial(
    _ number: Int, at offset: Int? = 0, found: String = "00", _ schedule: Schedule = .staged,
    scenario: String = "fork", depth: Int = 1
  ) -> TrialRecord {
    let damage = offset.map {
      Damage(
        kind: .lostRead, region: .io, look: .first, offset: $0, length: 512, expected: "01", found: found,
        provenance: "fill")
    }
    return TrialRecord(
      case: FakeOutcome.name(scenario, schedule), trial: number, depth: depth, inFlight: 1,
      lost: offset == nil ? [] : [0], hazards: [.applied("child forked")], damage: damage.map { [$0] } ?? [],
      offset: 0, length: 512, timeline: [])
  }

  private final class Recorder: Observer {
    var notes: [String] = []
    var isOver = false
    func receive(_ event: Event) {
      if case .note(let note) = event { notes.append(note.text) }
      if case .end = event { isOver = true }
    }
    func progress(fraction: Double, case name: CaseName) {}
  }

  /// What is said of `originals` when `now` is what came of them.
  private func summary(_ originals: [TrialRecord], _ now: [TrialRecord]) -> String {
    let recorder = Recorder()
    let replay = Replay(originals, recorder)
    for trial in now { replay.receive(.trial(trial)) }
    replay.receive(.result(FakeOutcome.result("fork", .corrupt, exposures: now.count)))
    replay.receive(.end(RunEnd(verdict: .corrupt, seconds: 1)))
    #expect(recorder.isOver && recorder.notes.count == 1)
    return recorder.notes.first ?? ""
  }

  @Test("the same damage is what is where it was, whatever bytes were found")
  func same() {
    let now = [trial(3, found: "ff"), trial(3), trial(3, at: 64), trial(3, at: nil)]
    #expect(
      summary([trial(3), trial(4, at: nil)], now)
        == "replay: 1 of 2 trials had lost data; in 4 runs now, data was lost in 3, with the same damage in 2"
    )
  }

  @Test("each trial is compared with its own original")
  func own() {
    let originals = [trial(1, at: 0), trial(2, at: 64)]
    #expect(summary(originals, [trial(1, at: 64), trial(2, at: 0)]).hasSuffix("the same damage in 0"))
    #expect(summary(originals, [trial(1, at: 0), trial(2, at: 64)]).hasSuffix("the same damage in 2"))
    #expect(summary(originals, [trial(7, at: 0)]).hasSuffix("lost in 1, with the same damage in 0"))
  }

  @Test("the plan runs the numbers again, with seed and depth, and not on the report's target")
  func plan() throws {
    var made = Plan(Selection(scenarios: ["fork", "ksm"]), seed: Seed(77))
    made.selection.targets = [TargetSpec(.scratch, path: "/dev/precious", overwrite: true)]
    let plan = try Replay.plan([trial(5), trial(2, depth: 4)], of: made, times: 3)
    #expect(plan.trialNumbers == [5, 5, 5, 2, 2, 2] && plan.seed == Seed(77) && plan.depth == 4)
    #expect(plan.minimumExposures == 1)
    #expect(plan.selection.targets.allSatisfy { $0.path == nil })
    #expect(try plan.expand().cases.map { "\($0.name)" } == ["fork.pread.staged"])
  }

  @Test("what this version can't run again is refused")
  func refused() {
    let plan = Plan(Selection(scenarios: ["fork"]), seed: Seed(1))
    for trials in [[], [trial(-1)], [trial(TrialNumber.limit)], [trial(1, scenario: "gone")]] {
      #expect(throws: PlanError.self) { try Replay.plan(trials, of: plan, times: 1) }
    }
  }

  // MARK: What a report holds

  private func withReport(_ trials: [TrialRecord], _ body: (String) throws -> Void) throws {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let events: [Event] = [.run(FakeOutcome.start("6.1.176", trials.map(\.case)))] + trials.map(Event.trial)
    try events.map { JSONText.line($0) + "\n" }.joined()
      .write(toFile: folder.appending("r.jsonl"), atomically: true, encoding: .utf8)
    try body(folder.appending("r.jsonl"))
  }

  @Test("of several runs, the one that lost data is meant, with its seed")
  func rounds() throws {
    let reports = try ShardReports()
    let clean = ShardReports.events(nil, seed: 1).filter {
      if case .trial(let trial) = $0 { !trial.isLoss } else { true }
    }
    let path = try reports.write(clean + ShardReports.events(nil, seed: 2), "rounds.jsonl")
    let found = try ReportedTrials(path)
    #expect(found.plan.seed == Seed(2))
    #expect(found.trials.map { "\($0.case):\($0.trial)" } == ["fork.libaio.staged:1"])
    #expect(try ReportedTrials(path + "#fork.pread.staged:0").plan.seed == Seed(1))
  }

  @Test("of a report, the losses are meant, or the trial that is named")
  func chosen() throws {
    let trials = [trial(0, at: nil), trial(1), trial(2), trial(1, .race)]
    try withReport(trials) { path in
      let all = try ReportedTrials(path)
      #expect(all.trials == [trials[1], trials[2], trials[3]])
      #expect(all.cases.map(\.count) == [2, 1] && all.plan.seed == Seed(1))
      #expect(try ReportedTrials(path + "#2").trials == [trials[2]])
      #expect(try ReportedTrials(path + "#0").trials == [trials[0]])
      #expect(try ReportedTrials(path + "#fork.pread.race:1").trials == [trials[3]])
      for wrong in ["#1", "#9", "#x", "#ksm.pread.staged:1", "#a:b:1"] {
        #expect(throws: PlanError.self, "\(wrong)") { try ReportedTrials(path + wrong) }
      }
    }
    try withReport([trial(0, at: nil), trial(1, at: nil)]) { path in
      let count = try ReportedTrials(path).trials.count
      #expect(count == 2)
    }
    try withReport([]) { path in
      _ = #expect(throws: PlanError.self) { try ReportedTrials(path) }
    }
  }
}
