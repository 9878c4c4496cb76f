import Glibc
import TestHost
import Testing

@testable import Repro

/// The look after reclaim, on a page that is dropped though it holds the only copy of the data, and on one
/// that is not.
@Suite(
  "Look after reclaim", .serialized, .exclusive, .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
struct LateLookTests {
  /// Leaves the page as a kernel would that did not mark it dirty: it is right until reclaim drops it.
  private final class Forgetting: Hazard {
    func act(_ pages: PagesUnderIO) -> [HazardOutcome] { [.applied("nothing, while the I/O is held")] }

    func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
      for run in pages.runs { try advise(MADV_FREE, "MADV_FREE", run.start, run.length) }
      return []
    }

    func asked(_ page: Observation, _ number: Int) -> Guard? { Guard.none }
  }

  @Test("data that is not dirty is lost then, and no scenario explains it")
  func fires() throws {
    let forgetting = Scenario("forgetting", "forgets that the page is dirty", drawing: "-") {
      _ throws(KernelError) in Forgetting()
    }
    let run = try CampaignRun(.staged, [forgetting])
    #expect(run.verdicts == [.corrupt])
    #expect(run.results.first?.count.unexplained == 5)
    for trial in run.observer.trials where trial.case.scenario == "forgetting" {
      #expect(Set(trial.damage.map(\.kind)) == [.lostAfterReclaim])
      #expect(Set(trial.damage.map(\.look)) == [.late])
    }
  }

  @Test("data that is dirty stays")
  func silent() throws {
    let run = try CampaignRun(.staged, [.quiet])
    #expect(run.verdicts == [.clean])
    #expect(run.observer.trials.allSatisfy { $0.damage.isEmpty })
  }
}
