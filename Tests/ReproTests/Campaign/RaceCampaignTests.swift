import SystemPackage
import TestHost
import Testing

@testable import Repro

/// The same on a scratch file, where threads run free.
@Suite(
  "Race campaign", .serialized, .exclusive, .enabled(if: Machine.canRace, "no direct I/O in /var/tmp"))
struct RaceCampaignTests {
  @Test("a replaced page loses data, and each loss is reported in full")
  func corrupt() throws {
    let run = try CampaignRun(.race, [.remap]) {
      $0.trials = 2000
      $0.stopAfterLosses = 1
    }
    #expect(run.verdicts == [.corrupt])
    #expect(run.controls.map(\.isSound) == [true])
    let result = try #require(run.results.first)
    #expect(result.opened == "/var/tmp" && result.path == .block)
    let trial = try #require(run.observer.trials.first)
    #expect(trial.isLoss && trial.isExposure && !trial.timeline.isEmpty)
    #expect(Set(trial.damage.map(\.kind)).isSubset(of: [.lostRead, .lostStore]))
  }

  @Test("without hazard nothing is lost")
  func quiet() throws {
    let run = try CampaignRun(.race, [.quiet])
    #expect(run.results.first?.count.losses == 0)
    #expect(run.verdicts == [.clean] || run.verdicts == [.inconclusive])
    #expect(run.observer.trials.isEmpty, "a race reports losses only")
  }

  /// The positive control can't tell a read that went astray from one that was never done; the negative
  /// control can: the fault is not the hazard's.
  @Test("an engine that claims success without I/O fires the positive control and fails the negative one")
  func lyingEngine() throws {
    let run = try CampaignRun(
      .race, [.remap], change: { $0.trials = 3 }, makeEngine: { _ in StubEngine(.lying) })
    #expect(run.controls.map { $0.fired > 0 } == [true])
    #expect(run.controls.map { $0.quietLosses == $0.quietTrials } == [true])
    #expect(run.controls.map(\.isSound) == [false])
    #expect(run.verdicts == [.error])
  }

  @Test("a control that throws makes its cells errors")
  func throwingEngine() throws {
    let run = try CampaignRun(.race, [.quiet], makeEngine: { _ in StubEngine(.throwing) })
    #expect(run.verdicts == [.error])
    #expect(run.results.first?.reason == "the controls failed: \(StubEngine.error)")
  }

  @Test("a hazard that throws is an error, and the next cell runs")
  func throwingHazard() throws {
    let broken = Scenario.told("broken") {
      ToldHazard(act: { (_) throws(KernelError) in throw KernelError("fork", .noMemory) })
    }
    let run = try CampaignRun(.race, [broken, .quiet])
    #expect(run.verdicts.first == .error)
    #expect(run.results.last?.verdict != .error)
  }

  @Test("refused with and without I/O is inconclusive")
  func neverEligible() throws {
    let refuses = Scenario.told("refuses") {
      ToldHazard(act: { (_) throws(KernelError) in .refused("EBUSY") })
    }
    let run = try CampaignRun(.race, [refuses])
    #expect(run.verdicts == [.inconclusive])
    #expect(run.results.first?.count.exposures == 0)
  }
}
