@testable import Repro

/// A run by hand, with every verdict, every kind of event, and text that formats must escape.
enum SampleRun {
  static let plan: Plan = {
    var plan = Plan(
      scenarios: ["control-none", "fork", "soft-dirty", "pageout", "move_pages", "ksm"], seed: Seed(.max))
    plan.engines = [.pread, .libaio]
    plan.schedules = [.staged]
    plan.trials = 3
    return plan
  }()

  static let start = RunStart(
    version: "0.1.0", release: "5.10.0-32-amd64", build: "#1 SMP Debian 5.10.223-1 (2024-08-10)",
    machine: "x86_64", pageSize: 4096, processors: 2, plan: plan,
    cells: plan.scenarios.flatMap { scenario in plan.engines.map { "\(scenario).\($0.rawValue).staged" } })

  static let loss = TrialRecord(
    cell: "fork.pread.staged", trial: 1, isExposure: true, hazard: .applied("child forked and gone"),
    damage: [
      Damage(
        kind: .lostRead, region: .io, look: .first, offset: 0, length: 3584,
        expected: "5e b0 4a 1c 55 02 d1 9f 00 11 22 33 44 55 66 77",
        found: "d3 07 7b e5 19 aa 3c 42 88 99 aa bb cc dd ee ff",
        provenance: "fill of generation 2, block 0, byte 0"),
      Damage(
        kind: .leakedToChild, region: .child, look: .second, offset: 8, length: 2, expected: "00 01",
        found: "02 03", provenance: "file of generation 0, block 7, byte 8"),
    ],
    frameBefore: 0x1_2345, frameAfter: 0x1f_ffff_ffff, offset: 3584, length: 3584,
    timeline: [
      Mark(at: 1_234, agent: "I/O thread", what: "read 3584 bytes at 3584"),
      Mark(at: 25_678, agent: "target", what: "read request arrived: pages taken, held"),
      Mark(at: 812_345, agent: "hazard", what: "fork() returned child 4242"),
      Mark(at: 1_012_345, agent: "store", what: "stored to bytes 4032..<4096"),
      Mark(at: 1_112_345, agent: "I/O thread", what: "returned 3584"),
    ])

  /// Refused while in flight, done without: no loss, an exposure.
  static let refusal = TrialRecord(
    cell: "ksm.pread.staged", trial: 0, isExposure: true, hazard: .refused("merged nothing"),
    withoutIO: .applied("ksmd merged the page with its twin"), damage: [], offset: 0, length: 3584,
    timeline: [])

  /// A loss whose frames are hidden and whose hazard was never seen to act.
  static let hiddenLoss = TrialRecord(
    cell: "fork.libaio.staged", trial: 0, isExposure: false, hazard: .noEffect("nobody knows # why"),
    withoutIO: .refused("EBUSY"),
    damage: [
      Damage(
        kind: .zeroed, region: .store, look: .first, offset: 4032, length: 64, expected: "01", found: "00",
        provenance: "zeros")
    ],
    offset: 0, length: 3584, timeline: [])

  static func result(
    _ scenario: String, _ engine: EngineKind, _ verdict: Verdict, _ reason: String? = nil, losses: Int = 0,
    exposures: Int = 3, bugs: [String] = []
  ) -> CellResult {
    let ran = verdict != .skipped && verdict != .error
    return CellResult(
      cell: "\(scenario).\(engine.rawValue).staged", scenario: scenario, engine: engine, schedule: .staged,
      target: ran ? "held" : nil, path: ran ? .fuse : nil, verdict: verdict, reason: reason,
      trials: ran ? 3 : 0, exposures: ran ? exposures : 0, losses: losses,
      upperBound: verdict == .clean ? 0.6316 : nil, seconds: ran ? 0.25 : 0,
      evidence: ran ? "as sampled" : nil, bugs: bugs)
  }

  private static let noNodes = "one NUMA node only: boot with numa=fake=2\r\nor use a guest"

  static let results: [CellResult] = [
    result("control-none", .pread, .clean), result("control-none", .libaio, .clean),
    result("fork", .pread, .corrupt, losses: 1, bugs: ["fork-block"]),
    result("fork", .libaio, .corrupt, "the harness # broke after a loss", losses: 1),
    result("soft-dirty", .pread, .inconclusive, "fewer than 3 exposures; last: #4 refused", exposures: 2),
    result("soft-dirty", .libaio, .clean),
    result("pageout", .pread, .skipped, "no swap"),
    result("pageout", .libaio, .inconclusive, "fewer", exposures: 1),
    result("move_pages", .pread, .skipped, noNodes), result("move_pages", .libaio, .skipped, noNodes),
    result("ksm", .pread, .clean), result("ksm", .libaio, .error, "wait for child #9: timed out"),
  ]

  static let controls: [ControlResult] = [
    ControlResult(engine: .pread, schedule: .staged, trials: 3, fired: 3, reason: nil, hasFired: true),
    ControlResult(
      engine: .libaio, schedule: .staged, trials: 3, fired: 1,
      reason: "the positive control fired in 1 of 3 trials", hasFired: false),
  ]

  /// In the order of a run: controls, then each cell's trials and its result.
  static let events: [Event] = {
    var events: [Event] = [.run(start), .note(leftover)]
    events += controls.map(Event.control)
    for result in results {
      for trial in [loss, refusal, hiddenLoss] where trial.cell == result.cell {
        events.append(.trial(trial))
      }
      events.append(.result(result))
    }
    let end = RunEnd(verdict: .corrupt, reason: "wait for child #9: timed out", seconds: 12.34)
    return events + [.end(end)]
  }()

  private static let leftover = Note(
    "put back what a killed run had left: file\t/sys/kernel/mm/ksm/run\t0 #1")

  /// The same machine with nothing but an error: a run that KTAP bails out of.
  static let brokenEvents: [Event] = {
    var brokenStart = start
    brokenStart.plan.scenarios = ["ksm"]
    brokenStart.cells = ["ksm.pread.staged", "ksm.libaio.staged"]
    let ksm = results.filter { $0.scenario == "ksm" }
    let end = RunEnd(verdict: .error, reason: ksm.last?.reason, interruptedBy: 2, seconds: 0.5)
    return [.run(brokenStart)] + ksm.map(Event.result) + [.end(end)]
  }()
}
