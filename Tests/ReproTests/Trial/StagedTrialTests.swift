import SystemPackage
import Testing

@testable import Repro

/// The staged schedule on a target and an engine of memory: what each wrong kernel would leave is
/// planted, and the trial's record must say it.
@Suite("Staged trial")
struct StagedTrialTests {
  private typealias Deliver = @Sendable (Transfer, MemoryTarget) throws(KernelError) -> Int

  private func trial(
    _ hazard: ToldHazard, _ direction: Direction = .read, number: Int = 3,
    deliver: @escaping Deliver = MemoryEngine.right
  ) throws -> TrialRecord {
    let pattern = Pattern(seed: 11)
    let target = MemoryTarget(pattern)
    let scenario = Scenario("told", "as told", direction: direction) { _ throws(KernelError) in hazard }
    let bench = try Bench(
      cell: Cell(scenario: scenario, engine: .pread, schedule: .staged), pattern: pattern, target: target,
      engine: MemoryEngine(target, deliver: deliver), length: kernelPageSize, storeLength: 64,
      patience: Clock.seconds(10))
    defer { bench.close() }
    return try StagedTrial(bench: bench, target: target, hazard: hazard).run(number)
  }

  @Test("a kernel that is right loses nothing", arguments: Direction.allCases)
  func right(direction: Direction) throws {
    let record = try trial(ToldHazard(), direction)
    #expect(record.damage == [])
    #expect(record.isExposure && !record.isLoss)
    #expect(record.withoutIO == nil)
    #expect(record.trial == 3 && record.cell == "told.pread.staged" && record.offset == 3 * 4096)
  }

  @Test("the timeline has every agent but the target, in the order of the trial")
  func timeline() throws {
    let record = try trial(ToldHazard())
    #expect(record.timeline.map(\.agent) == ["I/O thread", "hazard", "store", "I/O thread"])
    #expect(record.timeline.map(\.at) == record.timeline.map(\.at).sorted())
    #expect(record.timeline[2].what == "stored to bytes 4032..<4096")
    #expect(record.timeline[3].what == "returned 3584")
  }

  @Test("a read that never reached memory is a lost read")
  func lostRead() throws {
    let record = try trial(ToldHazard(), deliver: MemoryEngine.idle)
    let damage = try #require(record.damage.first)
    #expect(record.damage.count == 1)
    #expect(damage.kind == .lostRead && damage.region == .io && damage.look == .first)
    #expect(damage.provenance == "fill of generation 4, block 0, byte 0")
  }

  @Test("a page that comes back from before the store has lost it")
  func lostStore() throws {
    let record = try trial(ToldHazard()) { (transfer, target) throws(KernelError) in
      let fill = Stamp(.fill, generation: 4, block: 0)
      target.pattern.fill(transfer.memory, 4032..<4096, with: fill)
      return try MemoryEngine.right(transfer, target)
    }
    #expect(record.damage.map(\.kind) == [.lostStore])
    #expect(record.damage.map(\.region) == [.store])
  }

  @Test("a direct write that left the disk as it was is lost there")
  func lostOnDisk() throws {
    let record = try trial(ToldHazard(), .write, deliver: MemoryEngine.idle)
    #expect(Set(record.damage.map(\.kind)) == [.lostOnDisk])
    #expect(Set(record.damage.map(\.region)) == [.disk])
  }

  @Test("old bytes after settling are called what the hazard calls them")
  func lostAfterSwap() throws {
    let pattern = Pattern(seed: 11)
    let hazard = ToldHazard(
      lossOnSecondLook: .lostAfterSwap,
      settle: { (page) throws(KernelError) in
        // As if the page had come back from swap without its last dirty bytes.
        pattern.fill(page.address, 0..<512, with: Stamp(.fill, generation: 4, block: 0))
        return []
      })
    let record = try trial(hazard)
    #expect(record.damage.map(\.kind) == [.lostAfterSwap])
    #expect(record.damage.map(\.look) == [.second])
    #expect(record.damage.first?.provenance == "fill of generation 4, block 0, byte 0")
  }

  @Test("the second look repeats nothing that the first saw")
  func seenOnce() throws {
    let record = try trial(ToldHazard(lossOnSecondLook: .lostAfterSwap), deliver: MemoryEngine.idle)
    #expect(record.damage.map(\.kind) == [.lostRead])
    #expect(record.damage.map(\.look) == [.first])
  }

  @Test("a child that sees the data has a leak, one that sees the fill has none", arguments: [true, false])
  func leak(leaks: Bool) throws {
    let hazard = ToldHazard(settle: { (page) throws(KernelError) in
      // The child's view: the page after the I/O, or the page as it was before.
      if leaks { return page.leak(page.address) }
      Pattern(seed: 11).fill(page.twin, 0..<3584, with: Stamp(.fill, generation: 4, block: 0))
      return page.leak(page.twin)
    })
    let record = try trial(hazard)
    #expect(record.damage.map(\.kind) == (leaks ? [.leakedToChild] : []))
    #expect(record.damage.map(\.region) == (leaks ? [.child] : []))
  }

  @Test("a refusal exposes only what the same hazard could have done", arguments: [true, false])
  func refused(eligible: Bool) throws {
    let hazard = ToldHazard(
      act: { (_) throws(KernelError) in .refused("busy") },
      actWithoutIO: { (_) throws(KernelError) in eligible ? .applied("moved") : .refused("never") })
    let record = try trial(hazard)
    #expect(record.isExposure == eligible)
    #expect(record.hazard == .refused("busy"))
    #expect(record.withoutIO == (eligible ? .applied("moved") : .refused("never")))
  }

  @Test("a loss is an exposure whatever the hazard says")
  func lossWithoutHazard() throws {
    let hazard = ToldHazard(act: { (_) throws(KernelError) in .noEffect("nothing") })
    let record = try trial(hazard, deliver: MemoryEngine.idle)
    #expect(record.isExposure && record.isLoss)
  }

  @Test("a short I/O is an error, not damage")
  func short() {
    #expect(throws: TrialError.short(512, of: 3584)) {
      try trial(ToldHazard()) { (_, _) throws(KernelError) in 512 }
    }
  }

  @Test("an I/O that fails is an error, not damage")
  func failing() {
    #expect(throws: KernelError("pread", .ioError)) {
      try trial(ToldHazard()) { (_, _) throws(KernelError) in throw KernelError("pread", .ioError) }
    }
  }

  @Test("a hazard that fails is an error, and the I/O is let go first")
  func failingHazard() {
    let hazard = ToldHazard(act: { (_) throws(KernelError) in throw KernelError("fork", .noMemory) })
    #expect(throws: KernelError("fork", .noMemory)) { try trial(hazard) }
  }
}
