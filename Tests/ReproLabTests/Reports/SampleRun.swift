@testable import Repro
@testable import ReproLab

/// A run by hand, with every verdict, every kind of event, and text that formats must escape.
enum SampleRun {
  static let scenarios = ["control-none", "fork", "soft-dirty", "pageout", "move_pages", "ksm"]
  static let engines = ["pread", "libaio"]

  static let plan: Plan = {
    var plan = Plan(Selection(scenarios: scenarios), seed: Seed(.max))
    plan.selection.engines = [.pread, .libaio]
    plan.selection.schedules = [.staged]
    plan.trials = 3
    return plan
  }()

  static func name(_ scenario: String, _ engine: String, memory: String = "anon") -> CaseName {
    CaseName(scenario: scenario, memory: memory, engine: engine, target: "held", schedule: .staged)
  }

  static let start = RunStart(
    version: "0.1.0", suite: "0x3c5a7e9b1d2f4860", release: "5.10.0-32-amd64",
    build: "#1 SMP Debian 5.10.223-1 (2024-08-10)",
    machine: "x86_64", pageSize: 4096, processors: 2, plan: plan,
    cases: scenarios.flatMap { scenario in engines.map { name(scenario, $0) } })

  static let loss = TrialRecord(
    case: name("fork", "pread"), trial: 1, inFlight: 1, lost: [0],
    hazards: [.applied("child forked and gone")],
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
    case: name("ksm", "pread"), trial: 0, inFlight: 1, guards: ["ksm-counts-references": 1],
    hazards: [.refused("merged nothing")], withoutIO: .applied("ksmd merged the page with its twin"),
    damage: [], offset: 0, length: 3584,
    timeline: [])

  /// A loss whose frames are hidden and whose hazard was never seen to act.
  static let hiddenLoss = TrialRecord(
    case: name("fork", "libaio"), trial: 0, depth: 3, inFlight: 0, lost: [0, 2],
    hazards: [.noEffect("nobody knows # why")], withoutIO: .refused("EBUSY"),
    damage: [
      Damage(
        kind: .zeroed, region: .store, look: .first, offset: 4032, length: 64, expected: "01", found: "00",
        provenance: "zeros")
    ], isExplained: false,
    offset: 0, length: 3584, timeline: [])

  static func result(
    _ scenario: String, _ engine: String, _ verdict: Verdict, _ reason: String? = nil, losses: Int = 0,
    exposures: Int = 3, bugs: [String] = [], guards: [String: Int] = [:]
  ) -> CaseResult {
    let ran = verdict != .skipped && verdict != .error
    var count = CaseCount()
    if ran {
      (count.trials, count.exposedTrials, count.exposures) = (3, exposures, exposures)
      (count.lostTrials, count.losses, count.seconds) = (losses, losses, 0.25)
      count.evidence = "as sampled"
      count.guards = guards
    }
    return CaseResult(
      case: name(scenario, engine), role: scenario == "control-none" ? .negativeControl : .hazard,
      opened: ran ? "held" : nil, path: ran ? .fuse : nil, verdict: verdict, reason: reason, count: count,
      upperBound: verdict == .clean ? 0.6316 : nil, bugs: bugs)
  }

  private static let noNodes = "one NUMA node only: boot with numa=fake=2\r\nor use a guest"

  static let results: [CaseResult] = [
    result("control-none", "pread", .clean), result("control-none", "libaio", .clean),
    result("fork", "pread", .corrupt, losses: 1, bugs: ["fork-block"]),
    result("fork", "libaio", .corrupt, "the harness # broke after a loss", losses: 1),
    result("soft-dirty", "pread", .inconclusive, "fewer than 3 exposures; last: #4 refused", exposures: 2),
    result("soft-dirty", "libaio", .clean),
    result("pageout", "pread", .skipped, "no swap"),
    result("pageout", "libaio", .inconclusive, "fewer", exposures: 1),
    result("move_pages", "pread", .skipped, noNodes), result("move_pages", "libaio", .skipped, noNodes),
    result("ksm", "pread", .clean, guards: ["ksm-counts-references": 3]),
    result("ksm", "libaio", .error, "wait for child #9: timed out"),
  ]

  static let controls: [ControlResult] = [.pread, .libaio].map { (engine: EngineKind) in
    var control = ControlResult(
      Lane(memory: .anon, engine: engine, target: TargetSpec(.held), schedule: .staged))
    control.trials = 3
    control.isSound = engine.name == "pread"
    control.fired = control.isSound ? 3 : 1
    control.quietTrials = control.isSound ? 3 : 0
    control.reason = control.isSound ? nil : "the positive control fired in 1 of 3 trials"
    return control
  }

  /// In the order of a run: controls, then each case's trials and its result.
  static let events: [Event] = {
    var events: [Event] = [.run(start), .note(leftover)]
    events += controls.map(Event.control)
    for result in results {
      for trial in [loss, refusal, hiddenLoss] where trial.case == result.case {
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
    brokenStart.plan.selection.scenarios = ["ksm"]
    brokenStart.cases = engines.map { name("ksm", $0) }
    let ksm = results.filter { $0.case.scenario == "ksm" }
    let end = RunEnd(verdict: .error, reason: ksm.last?.reason, interruptedBy: 2, seconds: 0.5)
    return [.run(brokenStart)] + ksm.map(Event.result) + [.end(end)]
  }()
}
