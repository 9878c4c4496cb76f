import Synchronization

@testable import Repro

/// A campaign of given scenarios and engines, run to its end.
struct CampaignRun {
  let observer = RecordingObserver()
  let end: RunEnd

  /// - Parameters:
  ///   - scenarios: run in this order; the positive control is the standard one.
  ///   - change: makes of a small plan of one engine the plan to run.
  ///   - makeEngine: gets the number of engines made before, since the control's is made first.
  init(
    _ schedule: Schedule, _ scenarios: [Scenario], change: (inout Plan) -> Void = { _ in },
    makeEngine: @escaping @Sendable (Int) -> any Engine = { _ in PreadEngine() }
  ) throws {
    var plan = Plan(scenarios: scenarios.map(\.name), seed: Seed(31))
    plan.engines = [.pread]
    plan.schedules = [schedule]
    plan.trials = schedule == .staged ? 5 : 200
    change(&plan)
    let made = Counter()
    let campaign = Campaign(plan, hostState: nil, observer: observer, scenarios: scenarios) {
      _ throws(KernelError) in makeEngine(made.next())
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

  var results: [CellResult] { observer.results }
  var verdicts: [Verdict] { results.map(\.verdict) }
  var controls: [ControlResult] { observer.controls }
}

extension Scenario {
  /// The negative control.
  static let quiet = Scenario("quiet", "nothing happens") { _ throws(KernelError) in NoHazard() }

  /// The standard positive control, as a cell.
  static let remap = Scenario("remap", "the page is replaced") { _ throws(KernelError) in RemapHazard() }

  /// A scenario of a hazard that does as told.
  static func told(
    _ name: String, needs: [Need] = [], _ hazard: @escaping @Sendable () -> ToldHazard
  ) -> Scenario {
    Scenario(name, "as told", needs: needs) { _ throws(KernelError) in hazard() }
  }
}
