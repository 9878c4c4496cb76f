@testable import Repro
@testable import ReproLab

/// Outcomes of guests that nobody booted.
enum FakeOutcome {
  static func name(_ scenario: String, _ schedule: Schedule = .staged, engine: String = "pread") -> CaseName {
    CaseName(
      scenario: scenario, memory: "anon", engine: engine, target: TargetKind.usual(for: schedule).name,
      schedule: schedule)
  }

  static func result(
    _ scenario: String, _ verdict: Verdict, _ schedule: Schedule = .staged, reason: String? = nil,
    exposures: Int = 10, losses: Int? = nil
  ) -> CaseResult {
    let name = name(scenario, schedule)
    let role = Scenario.named(scenario)?.role ?? .hazard
    var count = CaseCount()
    let hasRun = verdict != .skipped && verdict != .error
    if hasRun {
      (count.trials, count.exposedTrials, count.exposures) = (exposures, exposures, exposures)
      let lost = losses ?? (verdict == .corrupt ? exposures : 0)
      (count.lostTrials, count.losses) = (lost, lost)
    }
    return CaseResult(
      case: name, role: role, opened: hasRun ? schedule == .race ? "/dev/vda" : "held" : nil,
      path: hasRun ? schedule == .race ? .block : .fuse : nil, verdict: verdict, reason: reason, count: count)
  }

  static func start(_ release: String, _ cases: [CaseName], processors: Int = 2) -> RunStart {
    RunStart(
      version: "0.1.0", suite: SuiteFingerprint.own, release: release,
      build: "#1 SMP Debian \(release)-1 (2026-07-02)",
      machine: "x86_64", pageSize: 4096, processors: processors, plan: Plan(Selection(), seed: Seed(1)),
      cases: cases)
  }

  /// - Parameter release: `6.1.176`.
  static func outcome(
    _ release: String, _ results: [CaseResult], ending: GuestEnding = .finished(status: 0),
    accelerator: Accelerator = .tcg, processors: Int = 2, unreported: [CaseName] = []
  ) -> GuestSession.Outcome {
    let verdict = ExitCodes.default.overall(results.map(\.verdict))
    return GuestSession.Outcome(
      start: start(release, results.map(\.case) + unreported, processors: processors), results: results,
      end: RunEnd(verdict: verdict, seconds: 1),
      guest: GuestReport(ending: ending, accelerator: accelerator, seconds: 1))
  }
}
