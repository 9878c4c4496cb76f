import Glibc
import Synchronization
import SystemPackage
import Testing

@testable import Repro

/// The staged schedule on a target and an engine of memory: what each wrong kernel would leave is
/// planted, and the trial's record must say it.
@Suite("Staged trial")
struct StagedTrialTests {
  private typealias Deliver = @Sendable (Transfer, MemoryTarget) throws(KernelError) -> Int

  private func trial(
    _ hazard: ToldHazard, _ direction: Direction = .read, number: Int = 3, depth: Int = 1,
    role: Scenario.Role = .hazard, steps: [Step] = .held(), losses: Set<Damage.Kind> = [.lostRead],
    patience: Nanoseconds = Clock.seconds(10),
    deliver: @escaping Deliver = MemoryEngine.right, early: Deliver? = nil
  ) throws -> TrialRecord {
    let pattern = Pattern(seed: 11)
    let target = MemoryTarget(pattern)
    let scenario = Scenario(
      "told", "as told", role: role, direction: direction, steps: steps, losses: losses
    ) { _ throws(KernelError) in hazard }
    let one = Case(
      scenario: scenario, memory: .anon, engine: .pread, target: TargetSpec(.held), schedule: .staged)
    let staged = try Staged(one, target, depth: depth, pattern: pattern, patience: patience) {
      _ throws(KernelError) in MemoryEngine(target, early: early, deliver: deliver)
    }
    defer { staged.close() }
    return try staged.run(number)
  }

  @Test("a kernel that is right loses nothing", arguments: Direction.allCases)
  func right(direction: Direction) throws {
    let record = try trial(ToldHazard(), direction)
    #expect(record.damage == [])
    #expect(record.isExposure && !record.isLoss)
    #expect(record.withoutIO == nil)
    #expect(record.trial == 3 && "\(record.case)" == "told.pread.staged" && record.offset == 3 * 4096)
  }

  @Test("the timeline has every agent but the target, in the order of the trial")
  func timeline() throws {
    let record = try trial(ToldHazard())
    #expect(record.timeline.map(\.agent) == ["I/O thread", "hazard", "store", "I/O thread"])
    #expect(record.timeline.map(\.at) == record.timeline.map(\.at).sorted())
    #expect(record.timeline[2].what == "stored to bytes 4032..<4096")
    #expect(record.timeline[3].what == "returned 3584")
  }

  @Test("what a hazard before the I/O spoils is damage, and no I/O that was not held")
  func spoiltBefore() throws {
    let steps: [Step] = [.attach, .hazard(0), .issue, .touch(.none), .release, .reap]
    let spoils = ToldHazard(act: { (pages) throws(KernelError) in
      memset(pages.addresses[0], 0, pages.size)
      return .applied("spoilt")
    })
    let record = try trial(spoils, steps: steps)
    #expect(record.damage.map(\.kind).allSatisfy { $0 == .zeroed } && record.isLoss)
    #expect(record.damage.first?.region == .untouched)
    #expect(throws: TrialError.letGo) {
      try trial(ToldHazard(), steps: steps, early: MemoryEngine.right)
    }
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
      target.pattern.fill(transfer.segments[0].memory, 4032..<4096, with: fill)
      return try MemoryEngine.right(transfer, target)
    }
    #expect(record.damage.map(\.kind) == [.lostStore])
    #expect(record.damage.map(\.region) == [.store])
  }

  @Test("a direct write that left the disk as it was is lost there")
  func lostOnDisk() throws {
    let record = try trial(ToldHazard(), .write, role: .negativeControl, deliver: MemoryEngine.idle)
    #expect(Set(record.damage.map(\.kind)) == [.lostOnDisk])
    #expect(Set(record.damage.map(\.region)) == [.disk])
  }

  /// The kernel that took a page which its owner's store replaced: the target gets it as it was before the store.
  @Test("a store to a page that a write has, and of which the target has no byte, must be in what is written")
  func storeIsWritten() throws {
    let asLate = try trial(ToldHazard(), .write, steps: .beforehand, losses: [.lostStore])
    #expect(asLate.damage == [] && asLate.isExposure)
    let idle = MemoryEngine.idle
    let early = try trial(
      ToldHazard(), .write, steps: .beforehand, losses: [.lostStore], deliver: idle, early: MemoryEngine.right
    )
    #expect(early.damage.map(\.kind) == [.lostStore] && early.damage.map(\.region) == [.disk])
    #expect(early.damage.first?.offset == 4032 && early.isExplained)
    let control = try trial(
      ToldHazard(), .write, role: .negativeControl, deliver: idle, early: MemoryEngine.right)
    #expect(control.damage == [], "a negative control's write may hold what was there before the store")
  }

  @Test("old bytes after settling are called what the hazard calls them")
  func lostAfterSwap() throws {
    let pattern = Pattern(seed: 11)
    let hazard = ToldHazard(
      lossOnSecondLook: .lostAfterSwap,
      settle: { (pages) throws(KernelError) in
        // As if the page had come back from swap without its last dirty bytes.
        pattern.fill(pages.addresses[0], 0..<512, with: Stamp(.fill, generation: 4, block: 0))
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
    let fillOnly = try AddressRange(length: kernelPageSize)
    try AddressRange.map(fillOnly.base, fillOnly.length, MAP_PRIVATE | MAP_ANONYMOUS)
    let hazard = ToldHazard(settle: { (pages) throws(KernelError) in
      // The child's view: the page after the I/O, or the page as it was before.
      Pattern(seed: 11).fill(fillOnly.base, 0..<3584, with: Stamp(.fill, generation: 4, block: 0))
      return [View(page: 0, copy: leaks ? pages.addresses[0] : fillOnly.base)]
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
    #expect(record.hazards == [.refused("busy")])
    #expect(record.withoutIO == (eligible ? .applied("moved") : .refused("never")))
  }

  @Test("a page on which no guard was asked exposes nothing")
  func notAsked() throws {
    let record = try trial(ToldHazard(asked: { _ in nil }))
    #expect(!record.isExposure && record.guards.isEmpty && !record.isLoss)
  }

  @Test("an exposure names the guard that held")
  func guardIsNamed() throws {
    #expect(try trial(ToldHazard(), depth: 3).guards == ["told-holds": 3])
  }

  @Test("no effect exposes nothing, whatever the same does without I/O")
  func noEffect() throws {
    let hazard = ToldHazard(
      act: { (_) throws(KernelError) in .noEffect("nothing") },
      actWithoutIO: { (_) throws(KernelError) in .applied("moved") })
    let record = try trial(hazard)
    #expect(!record.isExposure && record.withoutIO == nil)
  }

  /// As move_pages did that took an unwritten status for a node.
  @Test(
    "a hazard that claims another frame where the old one stands is the harness's error",
    .enabled(if: Need.pageFrames.missing() == nil, "frames are hidden"))
  func contradiction() {
    let liar = ToldHazard(
      replacesFrames: true,
      act: { (_) throws(KernelError) in .applied("page moved from node 1 to node 0") })
    do {
      _ = try trial(liar)
      Issue.record("the lie was believed")
    } catch {
      let words = "\(error)"
      #expect(words.hasPrefix("the hazard says 'page moved from node 1 to node 0', but frame 0x"), "\(words)")
    }
  }

  @Test(
    "a page replaced while held without a loss was not held", .enabled(if: Need.pageFrames.missing() == nil))
  func replacedWithoutLoss() {
    let remap = ToldHazard(act: { (pages) throws(KernelError) in
      try pages.memory.replace(pages.addresses[0])
      return .applied("replaced")
    })
    #expect(throws: TrialError.self) { try trial(remap) }
  }

  @Test(
    "each page of a deep trial is judged for itself", arguments: [[0], [2], [1, 3], [0, 1, 2, 3, 4, 5]])
  func deep(lost: [Int]) throws {
    let record = try trial(ToldHazard(), depth: 6) { (transfer, target) throws(KernelError) in
      for (index, part) in transfer.placed.enumerated() where !lost.contains(index) {
        let stamp = Stamp(.file, generation: 0, block: Int(part.offset) / 512)
        target.pattern.fill(part.segment.memory, 0..<part.segment.length, with: stamp)
      }
      return transfer.length
    }
    #expect(record.lost == lost && record.depth == 6 && record.inFlight == 6)
    #expect(record.damage.map(\.page) == Array(lost.prefix(TrialRecord.damageKept)))
    #expect(record.guards.values.reduce(0, +) == 6 - lost.count, "a guard of a lost page did not hold")
  }

  @Test("pages that got each other's data are foreign, not right")
  func swapped() throws {
    let record = try trial(ToldHazard(), depth: 2, losses: [.lostRead]) {
      (transfer, target) throws(KernelError) in
      for (part, other) in zip(transfer.placed, transfer.placed.reversed()) {
        let stamp = Stamp(.file, generation: 0, block: Int(other.offset) / 512)
        target.pattern.fill(part.segment.memory, 0..<part.segment.length, with: stamp)
      }
      return transfer.length
    }
    #expect(record.lost == [0, 1] && Set(record.damage.map(\.kind)) == [.foreign])
    #expect(!record.isExplained, "the scenario names lost reads only")
  }

  @Test("a loss that the scenario names is explained")
  func explained() throws {
    #expect(try trial(ToldHazard(), deliver: MemoryEngine.idle).isExplained)
    #expect(try !trial(ToldHazard(), losses: [.zeroed], deliver: MemoryEngine.idle).isExplained)
  }

  @Test("without a toucher the bytes beside the I/O must stay the fill")
  func noToucher() throws {
    let steps: [Step] = [.attach, .issue, .hazard(0), .release, .reap]
    #expect(try trial(ToldHazard(), steps: steps).damage == [])
    let record = try trial(ToldHazard(), steps: steps) { (transfer, target) throws(KernelError) in
      target.pattern.fill(
        transfer.segments[0].memory, 4032..<4096, with: Stamp(.store, generation: 4, block: 0))
      return try MemoryEngine.right(transfer, target)
    }
    #expect(record.damage.map(\.region) == [.untouched])
  }

  @Test("a hazard before the I/O is seen as such in the order of the timeline")
  func orderIsData() throws {
    let record = try trial(ToldHazard(), steps: .registered)
    #expect(record.timeline.map(\.agent) == ["hazard", "store", "I/O thread", "I/O thread"])
    #expect(record.isExposure)
  }

  @Test("a loss is an exposure whatever the hazard says")
  func lossWithoutHazard() throws {
    let hazard = ToldHazard(act: { (_) throws(KernelError) in .noEffect("nothing") })
    let record = try trial(hazard, deliver: MemoryEngine.idle)
    #expect(record.isExposure && record.isLoss)
  }

  /// As a file system that takes pages with faults disabled, or buffers.
  @Test("an I/O whose data is there at arrival was not held, and the trial does not count")
  func letGo() {
    #expect(throws: TrialError.letGo) {
      try trial(ToldHazard(), deliver: MemoryEngine.right, early: MemoryEngine.right)
    }
    #expect(TrialError.letGo.isMiss && !TrialError.hung.isMiss)
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

  /// The kernel still has the page, and would write to whatever is mapped there next.
  @Test("the memory of an I/O that hangs is not given back")
  func hung() {
    let (end, ended) = (Gate(), Gate())
    let address = Mutex<UInt>(0)
    defer {
      end.advance()
      _ = ended.wait(until: 1, timeout: Clock.seconds(10))
    }
    #expect(throws: TrialError.hung) {
      try trial(ToldHazard(), patience: Clock.milliseconds(100)) { (transfer, _) throws(KernelError) in
        address.withLock { $0 = UInt(bitPattern: transfer.segments[0].memory) }
        _ = end.wait(until: 1, timeout: Clock.seconds(20))
        ended.advance()
        return transfer.length
      }
    }
    let memory = UnsafeMutableRawPointer(bitPattern: address.withLock { $0 })
    #expect(msync(memory, kernelPageSize, MS_ASYNC) == 0, "nothing is mapped there")
  }
}
