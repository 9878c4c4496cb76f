import TestHost
import Testing

@testable import Repro

/// What keeps a cell from running, and that it is said.
@Suite("Campaign: obstacles", .serialized, .exclusive)
struct CampaignObstacleTests {
  @Test(
    "a missing need skips the scenario with its remedy",
    .enabled(if: Need.twoNodes.missing() != nil, "this machine has two NUMA nodes"),
    .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
  func missingNeed() throws {
    let needy = Scenario.told("needy", needs: [.twoNodes]) { ToldHazard() }
    let run = try CampaignRun(.staged, [needy, .quiet])
    #expect(run.verdicts == [.skipped, .clean])
    #expect(run.results.first?.reason == Need.twoNodes.missing())
    #expect(run.end.verdict == .clean)
  }

  @Test("a scenario that can't race is left out there with the reason")
  func raceObstacle() throws {
    let staged = Scenario("staged-only", "can't race", raceObstacle: "it would fault") {
      _ throws(KernelError) in ToldHazard()
    }
    let run = try CampaignRun(.race, [staged])
    #expect(run.verdicts.isEmpty && run.end.verdict == .skipped)
    #expect(run.end.reason == "staged-only as a race: it would fault")
    #expect(run.controls.isEmpty, "nothing will race, so no control does")
  }

  @Test("without the held target all staged cells are skipped", .enabled(if: !Machine.canHold))
  func noHeldTarget() throws {
    let run = try CampaignRun(.staged, [.quiet])
    #expect(run.verdicts == [.skipped])
    #expect(run.results.first?.reason?.hasPrefix("no held target: ") == true)
  }

  @Test("a target that somebody named must be usable, and nothing runs before")
  func namedTarget() throws {
    #expect(throws: TargetError.wrongType("/dev/null")) {
      try CampaignRun(.race, [.quiet]) {
        $0.selection.targets = [TargetSpec(.scratch, path: "/dev/null")]
      }
    }
  }

  @Test("an optional target only skips what needs it")
  func optionalTarget() throws {
    let run = try CampaignRun(.race, [.quiet]) {
      $0.selection.targets = [TargetSpec(.scratch, path: "/dev/null", isOptional: true)]
    }
    #expect(run.verdicts == [.skipped])
    #expect(run.results.first?.reason == "no target for the race: \(TargetError.wrongType("/dev/null"))")
  }

  @Test("scenarios that nobody knows make no cells, and no cells are not clean")
  func unknownScenario() throws {
    let run = try CampaignRun(.staged, [])
    #expect(run.results.isEmpty && run.end.verdict == .inconclusive)
  }
}
