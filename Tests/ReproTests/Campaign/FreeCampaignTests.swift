import CKernel
import Glibc
import SystemPackage
import TestHost
import Testing

@testable import Repro

/// The free schedule on a scratch file: all agents act all the time, and its own controls say whether it sees.
@Suite(
  "Free campaign", .serialized, .exclusive, .enabled(if: Machine.canRace, "no direct I/O in /var/tmp"))
struct FreeCampaignTests {
  private func told(_ hazard: @escaping @Sendable () -> ToldHazard) -> Scenario {
    Scenario("told", "as told", losses: [.lostRead], runsFree: true) { _ throws(KernelError) in hazard() }
  }

  private func run(
    _ scenarios: [Scenario], trials: Int = 100,
    makeEngine: @escaping @Sendable (Int) -> any Engine = { _ in
      PreadEngine()
    }
  ) throws -> CampaignRun {
    try CampaignRun(
      .free, scenarios,
      change: {
        $0.trials = trials
        $0.patience = 1
      }, makeEngine: makeEngine)
  }

  @Test("an agent that replaces pages loses data, and the loss names it and when")
  func corrupt() throws {
    let remap = Scenario("remap", "the page is replaced", runsFree: true) { _ throws(KernelError) in
      RemapHazard()
    }
    let run = try run([remap], trials: 400)
    #expect(run.controls.map(\.isSound) == [true])
    #expect(run.verdicts == [.corrupt])
    let loss = try #require(run.observer.trials.first)
    #expect(loss.isLoss && loss.isExplained && loss.timeline.contains { $0.agent == "remap" })
    #expect(loss.hazards.contains { $0.evidence.hasPrefix("remap, ") })
    #expect(run.results.first?.count.unexplained == 0)
  }

  @Test("without an agent that does something nothing is lost")
  func quiet() throws {
    let run = try run([.quiet], trials: 400)
    #expect(run.results.first?.count.losses == 0)
    #expect(run.observer.trials.isEmpty)
  }

  @Test("agents that do nothing expose nothing, nor do those that are always refused")
  func idle() throws {
    for outcome in [HazardOutcome.noEffect("nothing"), .refused("EBUSY")] {
      let run = try run([told { ToldHazard(act: { (_) throws(KernelError) in outcome }) }])
      #expect(run.verdicts == [.inconclusive], "\(outcome)")
      #expect(run.results.first?.count.exposures == 0 && run.results.first?.count.trials ?? 0 > 20)
    }
  }

  @Test("what is refused under I/O and works without it was asked")
  func refused() throws {
    let run = try run(
      [
        told {
          ToldHazard(
            act: { (_) throws(KernelError) in .refused("EBUSY") },
            actWithoutIO: { (_) throws(KernelError) in .applied("done") })
        }
      ], trials: 2000)
    let guards = run.results.first?.count.guards ?? [:]
    #expect(Set(guards.keys) == [ToldHazard.refuses.name], "\(guards)")
  }

  @Test("an engine that claims success without I/O fails the negative control")
  func lyingEngine() throws {
    let run = try run([.remap, .quiet], makeEngine: { _ in StubEngine(.lying) })
    #expect(run.controls.allSatisfy { !$0.isSound } && run.verdicts.allSatisfy { $0 == .error })
  }

  @Test("an agent that throws is an error, and the next case runs")
  func throwing() throws {
    let broken = told {
      ToldHazard(act: { (_) throws(KernelError) in throw KernelError("fork", .noMemory) })
    }
    let run = try run([broken, .quiet])
    #expect(run.verdicts.first == .error && run.verdicts.last != .error)
  }
}

/// The pages that are nobody's.
@Suite("Page ledger", .serialized, .exclusive)
struct PageLedgerTests {
  /// Shared memory lies on the lists of anonymous pages, and is none of this process's RssAnon.
  @Test("pages that no process accounts for are counted, and those of this one are not")
  func counts() throws {
    let pages = 8192
    let before = try PageLedger.now()
    let file = ck_memfd("ledger")
    defer { close(file) }
    let bytes = [UInt8](repeating: 1, count: 1 << 20)
    for _ in 0..<(pages * kernelPageSize) >> 20 { #expect(write(file, bytes, bytes.count) == bytes.count) }
    let left = try PageLedger.now()
    // Others run here: half of it is enough.
    #expect(left.unowned - before.unowned > pages / 2, "\(before) \(left)")
    ftruncate(file, 0)
    let own = try AddressRange(length: pages * kernelPageSize)
    try AddressRange.map(own.base, own.length, MAP_PRIVATE | MAP_ANONYMOUS)
    for page in 0..<pages { ck_store64(own.base + page * kernelPageSize, 1) }
    let mapped = try PageLedger.now()
    #expect(mapped.own - before.own > pages / 2, "\(before) \(mapped)")
    #expect(mapped.unowned - before.unowned < pages / 2, "\(before) \(mapped)")
  }
}
