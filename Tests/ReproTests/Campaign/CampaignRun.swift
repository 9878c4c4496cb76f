import Synchronization

@testable import Repro

/// A campaign of given scenarios and engines, run to its end.
struct CampaignRun {
  let observer = RecordingObserver()
  let end: RunEnd

  /// - Parameters:
  ///   - scenarios: run in this order; the positive control is the standard one.
  ///   - change: makes of a small plan of one engine the plan to run.
  ///   - makeEngine: gets the number of engines made before, since the two controls' are made first.
  init(
    _ schedule: Schedule, _ scenarios: [Scenario], change: (inout Plan) -> Void = { _ in },
    makeEngine: @escaping @Sendable (Int) -> any Engine = { _ in PreadEngine() }
  ) throws {
    var plan = Plan(Selection(), seed: Seed(31))
    plan.selection.memories = [.anon]
    plan.selection.engines = [.pread]
    plan.selection.schedules = [schedule]
    plan.selection.targets = [schedule == .staged ? TargetSpec(.held) : TargetSpec(.scratch)]
    plan.trials = schedule == .staged ? 5 : 200
    change(&plan)
    let made = Counter()
    let campaign = Campaign(plan, hostState: nil, observer: observer, scenarios: scenarios) {
      _, _ throws(KernelError) in makeEngine(made.next())
    }
    end = try campaign.run(.default)
  }

  private final class Counter: Sendable {
    private let count = Mutex(0)
    func next() -> Int {
      count.withLock { count in
        defer { count += 1 }
        return count
      }
    }
  }

  var results: [CaseResult] { observer.results }
  var verdicts: [Verdict] { results.map(\.verdict) }
  var controls: [ControlResult] { observer.controls }
}

extension Scenario {
  /// The standard positive control, as a hazard.
  static let remap = Scenario("remap", "the page is replaced") { _ throws(KernelError) in RemapHazard() }

  /// A scenario of a hazard that does as told.
  static func told(
    _ name: String, needs: [Need] = [], losses: Set<Damage.Kind> = [.lostRead],
    _ hazard: @escaping @Sendable () -> ToldHazard
  ) -> Scenario {
    Scenario(name, "as told", needs: needs, losses: losses) { _ throws(KernelError) in hazard() }
  }
}
