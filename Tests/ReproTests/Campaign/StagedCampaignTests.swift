import SystemPackage
import TestHost
import Testing

@testable import Repro

/// Campaigns on the held target whose hazards or engines misbehave: what is broken in the harness
/// must never come out as clean, nor as corrupt.
@Suite(
  "Staged campaign", .serialized, .exclusive,
  .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
struct StagedCampaignTests {
  @Test("a right harness on the negative control is clean, with its control first")
  func clean() throws {
    let run = try CampaignRun(.staged, [.quiet])
    #expect(run.verdicts == [.clean])
    let result = try #require(run.results.first)
    #expect(result.count.trials == 5 && result.count.exposures == 5 && result.count.losses == 0)
    #expect(result.opened == "held" && result.path == .fuse)
    #expect(result.upperBound == Statistics.upperBound(exposures: 5))
    #expect(run.end.verdict == .clean && run.end.reason == nil && run.end.interruptedBy == nil)
    #expect(run.controls.map(\.isSound) == [true])
    #expect(run.observer.trials.map(\.trial) == Array(0..<5), "the control's trials are its own")
  }

  @Test("a shard has the controls of its cases' lanes, and no others")
  func shardControls() throws {
    for (index, engine) in ["pread", "preadv2"].enumerated() {
      let run = try CampaignRun(.staged, [.remap, .quiet]) {
        $0.selection.engines = [.pread, .preadv2]
        $0.selection.shard = Shard(index + 1, of: 2)
      }
      #expect(run.controls.map(\.engine) == [engine])
      #expect(run.results.map(\.case.engine) == [engine, engine])
    }
  }

  @Test("events come as start, controls, trials with their result, end")
  func order() throws {
    let run = try CampaignRun(.staged, [.quiet, .remap]) { $0.trials = 3 }
    let kinds = run.observer.events.map { event in
      switch event {
      case .run: "run"
      case .note: "note"
      case .control: "control"
      case .trial: "trial"
      case .result: "result"
      case .end: "end"
      }
    }
    let cell = ["trial", "trial", "trial", "result"]
    #expect(kinds == ["run", "control"] + cell + cell + ["end"])
    #expect(run.verdicts == [.clean, .corrupt] && run.end.verdict == .corrupt)
    let fractions = run.observer.fractions
    #expect(fractions == fractions.sorted() && fractions.allSatisfy { (0...1).contains($0) })
  }

  @Test("a replaced page is corrupt in every trial, with the frames as proof")
  func corrupt() throws {
    let run = try CampaignRun(.staged, [.remap])
    let result = try #require(run.results.first)
    #expect(result.verdict == .corrupt && result.count.losses == 5 && result.upperBound == nil)
    for trial in run.observer.trials {
      #expect(trial.damage.map(\.kind) == [.lostRead])
      #expect(trial.frameBefore != nil && trial.frameBefore != trial.frameAfter)
    }
  }

  @Test("losses can end a cell early")
  func stopAfterLosses() throws {
    let run = try CampaignRun(.staged, [.remap]) { $0.stopAfterLosses = 2 }
    #expect(run.results.first?.count.trials == 2)
  }

  @Test("known trials can be run again, in their order")
  func trialNumbers() throws {
    let run = try CampaignRun(.staged, [.remap]) { $0.trialNumbers = [7, 2] }
    let all = try CampaignRun(.staged, [.remap]) { $0.trials = 8 }
    #expect(run.observer.trials.map(\.trial) == [7, 2])
    #expect(
      run.observer.trials.map(\.damage) == [all.observer.trials[7], all.observer.trials[2]].map(\.damage))
  }

  @Test("fewer exposures than asked for are inconclusive")
  func tooFew() throws {
    let run = try CampaignRun(.staged, [.quiet]) { $0.minimumExposures = 6 }
    #expect(run.verdicts == [.inconclusive])
    #expect(run.results.first?.reason?.hasPrefix("fewer than 6 exposures") == true)
    #expect(run.results.first?.upperBound == nil)
  }

  @Test("a hazard that throws is an error, and the next cell runs")
  func throwingHazard() throws {
    let broken = Scenario.told("broken") {
      ToldHazard(act: { (_) throws(KernelError) in throw KernelError("fork", .noMemory) })
    }
    let run = try CampaignRun(.staged, [broken, .quiet])
    #expect(run.verdicts == [.error, .clean])
    #expect(run.results.first?.reason == "\(KernelError("fork", .noMemory))")
    #expect(run.end.verdict == .error && run.end.reason == run.results.first?.reason)
  }

  @Test("a hazard that can't be made is an error")
  func unmakeableHazard() throws {
    let broken = Scenario("broken", "never made") { _ throws(KernelError) in
      throw KernelError("mmap", .noMemory)
    }
    #expect(try CampaignRun(.staged, [broken]).verdicts == [.error])
  }

  @Test("a hazard that breaks after a loss leaves the loss proven")
  func brokenAfterLoss() throws {
    let hazard = RemapHazard()
    let count = Gate()
    let scenario = Scenario.told("breaks") {
      ToldHazard(act: { (pages) throws(KernelError) in
        if count.advance() == 3 { throw KernelError("fork", .noMemory) }
        return try hazard.act(pages)[0]
      })
    }
    let run = try CampaignRun(.staged, [scenario])
    #expect(run.verdicts == [.corrupt])
    #expect(run.results.first?.count.losses == 2)
    #expect(run.results.first?.reason == "\(KernelError("fork", .noMemory))")
  }

  @Test("refused with and without I/O: never eligible, so inconclusive")
  func neverEligible() throws {
    let refuses = Scenario.told("refuses") {
      ToldHazard(act: { (_) throws(KernelError) in .refused("EBUSY") })
    }
    let run = try CampaignRun(.staged, [refuses])
    #expect(run.verdicts == [.inconclusive])
    let result = try #require(run.results.first)
    #expect(result.count.exposures == 0 && result.count.trials == 5)
    #expect(result.reason?.contains("without I/O: refused: EBUSY") == true)
  }

  @Test("refused only with I/O: the guard at work, so clean")
  func guarded() throws {
    let guarded = Scenario.told("guarded") {
      ToldHazard(
        act: { (_) throws(KernelError) in .refused("EBUSY") },
        actWithoutIO: { (_) throws(KernelError) in .applied("moved") })
    }
    #expect(try CampaignRun(.staged, [guarded]).verdicts == [.clean])
  }

  @Test("a control that throws makes all of its cells errors")
  func throwingEngine() throws {
    let run = try CampaignRun(
      .staged, [.quiet, .remap], makeEngine: { _ in StubEngine(.throwingAfterwards) })
    #expect(run.verdicts == [.error, .error])
    #expect(run.controls.map(\.isSound) == [false])
    #expect(run.results.allSatisfy { $0.reason == "the controls failed: \(StubEngine.error)" })
    #expect(run.results.allSatisfy { $0.count.trials == 0 && $0.opened == nil })
  }

  @Test("an engine that throws in one cell is an error there alone")
  func throwingEngineInOneCell() throws {
    let run = try CampaignRun(
      .staged, [.quiet, .remap],
      makeEngine: { number in
        if number == 2 { StubEngine(.throwingAfterwards) } else { PreadEngine() }
      })
    #expect(run.verdicts == [.error, .corrupt])
    #expect(run.results.first?.reason == "\(StubEngine.error)")
  }

  @Test("a control that can't fire makes all of its cells errors, never clean")
  func controlThatCannotFire() throws {
    let run = try CampaignRun(.staged, [.quiet, .remap], makeEngine: { _ in StubEngine(.bouncing) })
    #expect(run.controls.map(\.fired) == [0] && run.controls.map(\.isSound) == [false])
    #expect(run.verdicts == [.error, .error])
    #expect(
      run.results.first?.reason
        == "the positive control fired in 0 of 3 trials: this run can't see losses, nothing is known")
    #expect(run.end.verdict == .error)
  }

  /// The second trial of each case does not get the memory that its kind promises.
  private final class FussyMemory: AnonMemory, @unchecked Sendable {
    private var proofs = 0

    override func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) -> Proof {
      proofs += 1
      return proofs == 2 ? .missed("no page was left") : super.prove(entries, flags)
    }
  }

  @Test("a control's trial without the memory of its kind is none of it")
  func controlThatMissed() throws {
    let fussy = MemoryKind(
      "anon", "as told", needs: [], traits: MemoryKind.anon.traits, maximumDepth: 1, c: AnonMemory.c
    ) { pieces, length throws(KernelError) in try FussyMemory(pieces: pieces, pieceLength: length) }
    let run = try CampaignRun(.staged, [.quiet], change: { $0.selection.memories = [fussy] })
    let control = try #require(run.controls.first)
    #expect(control.isSound && control.trials == 2 && control.fired == 2)
    #expect(control.quietTrials == 2 && control.quietLosses == 0)
    #expect(run.results.map(\.count.missed) == [1] && run.verdicts == [.clean])
  }

  @Test("damage without any hazard is a broken I/O path: all of the lane are errors")
  func brokenPath() throws {
    // The third engine made is the first case's: the positive control's is right, the negative one's lies.
    let run = try CampaignRun(
      .staged, [.quiet, .remap],
      makeEngine: { number in
        if number == 1 { StubEngine(.swallowing) } else { PreadEngine() }
      })
    #expect(run.controls.map(\.quietLosses) == [3] && run.controls.map(\.fired) == [3])
    #expect(run.controls.map(\.isSound) == [false])
    #expect(run.verdicts == [.error, .error])
    #expect(run.results.first?.reason?.contains("the I/O path itself is wrong") == true)
  }

  @Test("damage that the scenario does not name is corrupt, unexplained, and no bug of the catalogue")
  func unexplained() throws {
    let odd = Scenario.told("fork", losses: [.zeroed]) {
      ToldHazard(act: { (pages) throws(KernelError) in
        try pages.memory.replace(pages.addresses[0])
        return .applied("replaced")
      })
    }
    let run = try CampaignRun(.staged, [odd])
    let result = try #require(run.results.first)
    #expect(result.verdict == .corrupt && result.count.unexplained == 5)
    #expect(result.reason?.hasPrefix("unexplained") == true && result.bugs.isEmpty)
  }

  @Test("a hazard that applies and asks no guard is skipped, not clean")
  func notAsked() throws {
    let idle = Scenario.told("idle") { ToldHazard(asked: { _ in nil }) }
    let run = try CampaignRun(.staged, [idle])
    #expect(run.verdicts == [.skipped])
    #expect(run.results.first?.reason?.hasPrefix("not asked: done") == true)
    #expect(run.results.first?.count.notAsked == 5)
  }

  @Test("pages under one hazard are counted, and bounds rest on hazards")
  func deep() throws {
    let run = try CampaignRun(.staged, [.quiet]) { $0.depth = 16 }
    let result = try #require(run.results.first)
    #expect(result.count.exposures == 80 && result.count.exposedTrials == 5 && result.depth == 16)
    #expect(result.upperBound == Statistics.upperBound(exposures: 5))
  }

  /// The held target never sees its request, so it can't be taken for a loss. Costs the harness's patience.
  @Test("an engine that claims success without I/O is an error: nothing was ever held")
  func lyingEngine() throws {
    let run = try CampaignRun(.staged, [.quiet], makeEngine: { _ in StubEngine(.lying) })
    #expect(run.verdicts == [.error])
    #expect(run.results.first?.reason == "the controls failed: \(TrialError.notHeld)")
  }

  @Test("an engine that throws at once is an error with its own words")
  func engineThatThrowsAtOnce() throws {
    let run = try CampaignRun(.staged, [.quiet], makeEngine: { _ in StubEngine(.throwing) })
    #expect(run.verdicts == [.error])
    #expect(run.results.first?.reason == "the controls failed: \(StubEngine.error)")
  }
}
