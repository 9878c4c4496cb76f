import Glibc
import TestHost
import Testing

@testable import Repro

/// Hazards without any I/O, on memory of this process: what they say must be what the page shows.
@Suite("Evidence of hazards", .serialized, .exclusive)
struct HazardEvidenceTests {
  /// Pages of a kind, filled, as a hazard sees them.
  private func pages(
    _ kind: MemoryKind = .anon, depth: Int = 2, patience: Nanoseconds = Clock.seconds(5)
  ) throws -> PagesUnderIO {
    let memory = try kind.make(depth, kernelPageSize)
    try memory.renew()
    let addresses = (0..<depth).map { memory.base + $0 * memory.stride }
    for address in addresses { memset(address, 7, kernelPageSize) }
    return PagesUnderIO(
      memory: memory, addresses: addresses, stride: memory.stride, size: kernelPageSize, schedule: .staged,
      timeline: Timeline(), pageMap: try PageMap(), patience: patience,
      transfer: Transfer(direction: .read, descriptor: -1, segments: [], offset: 0))
  }

  @Test("without swap MADV_PAGEOUT takes nothing, and is refused", .enabled(if: !KernelFile.hasSwap))
  func pageoutWithoutSwap() throws {
    let outcomes = try PageoutHazard().act(try pages())
    #expect(outcomes.map(\.kind) == [.refused, .refused])
  }

  /// ksmd's settings during a test; those that were there before come back.
  private func withKSM(_ settings: [(name: String, value: String)], _ body: () throws -> Void) throws {
    let folder = "/sys/kernel/mm/ksm"
    let before = try settings.map { ($0.name, try KernelFile.read("\(folder)/\($0.name)")) }
    defer { for (name, value) in before { try? KernelFile.write("\(folder)/\(name)", value) } }
    for (name, value) in settings { try KernelFile.write("\(folder)/\(name)", value) }
    try body()
  }

  /// One that is stopped, and one that sleeps for a minute after a page.
  @Test(
    "a KSM that scans nothing has refused nothing",
    .enabled(if: Need.ksm.missing() == nil && Need.pageFrames.missing() == nil),
    .enabled(if: KernelFile.number("/sys/kernel/mm/ksm/run") == 0, "ksmd is running"),
    arguments: ["0", "1"])
  func ksmWithoutScans(run: String) throws {
    try withKSM([("sleep_millisecs", "60000"), ("pages_to_scan", "1"), ("run", run)]) {
      let pages = try pages(patience: Clock.milliseconds(50))
      let hazard = KSMHazard(depth: 2)
      try hazard.prepare(pages)
      let outcomes = try hazard.act(pages)
      _ = try hazard.settle(pages)
      #expect(!outcomes.isEmpty && outcomes.allSatisfy { $0.kind == .noEffect }, "\(outcomes)")
    }
  }

  /// On a machine of one node the page is told to go where it is, and move_pages says that it is there.
  @Test(
    "a page has moved when its frame has, whatever move_pages returns",
    .enabled(if: NUMANodes.withMemory != nil && Need.pageFrames.missing() == nil))
  func movePagesByFrames() throws {
    let pages = try pages()
    let before = try pages.entries()
    let outcomes = try MovePagesHazard().act(pages)
    let after = try pages.entries()
    for (page, outcome) in outcomes.enumerated() {
      #expect(outcome.isApplied == (before[page].frame != after[page].frame), "\(outcome)")
    }
  }

  @Test("a page that no second process has from the swap cache is not moved there, and nothing was asked")
  func swapInWithoutSharer() throws {
    let pages = try pages()
    let hazard = try SwapInMoveHazard(depth: 2)
    let before = try pages.entries()
    #expect(try hazard.act(pages).allSatisfy { $0.kind == .noEffect })
    #expect(try hazard.settle(pages).isEmpty && hazard.asked(Observation(arrival: before[0]), 0) == nil)
    #expect(try pages.entries().map(\.frame) == before.map(\.frame))
  }

  @Test("a write has unshared a page only if it has another frame than the child, mapped here alone")
  func unshared() throws {
    let pages = try pages(depth: 1)
    let hazard = try SharedWriteHazard(depth: 1)
    _ = try hazard.act(pages)
    var seen = Observation()
    seen.hazarded = try pages.entries()[0]
    let shared = try #require(seen.hazarded)
    memset(pages.addresses[0], 8, 1)
    let own = try pages.entries()[0]
    _ = try hazard.settle(pages)
    guard shared.frame != nil else { return }  // hidden from this user
    #expect(!shared.isExclusive && own.isExclusive)
    for (taken, touched, isAsked) in [(own, own, true), (shared, own, false), (own, shared, false)] {
      (seen.taken, seen.touched) = (taken, touched)
      #expect((hazard.asked(seen, 0) != nil) == isAsked)
    }
    seen.taken = nil
    #expect(hazard.asked(seen, 0) == nil)
  }

  @Test("mprotect alone asks nothing: the store's fault does")
  func mprotectAsksByFault() {
    let hazard = MprotectHazard()
    var seen = Observation(arrival: PageMapEntry(raw: 1 << 63 | 5), touched: PageMapEntry(raw: 1 << 63 | 5))
    #expect(hazard.asked(seen, 0) == nil)
    seen.faults = 1
    #expect(hazard.asked(seen, 0) == .writeFaultReuses)
    seen.touched = PageMapEntry(raw: 1 << 63 | 6)
    #expect(hazard.asked(seen, 0) == nil, "a replaced frame was not kept")
  }

  @Test(
    "a child that shares the page was given no copy", .enabled(if: Need.pageFrames.missing() == nil))
  func forkShares() throws {
    let pages = try pages()
    let hazard = try ForkHazard(.stays, depth: 2)
    let before = try pages.entries()
    #expect(try hazard.act(pages).map(\.kind) == [.applied])
    _ = try hazard.settle(pages)
    for number in 0..<2 {
      // Nobody held the page, so fork did not copy it; without a fault nothing was asked.
      #expect(hazard.asked(Observation(arrival: before[number], touched: before[number]), number) == nil)
      let faulted = Observation(arrival: before[number], touched: before[number], faults: 1)
      #expect(hazard.asked(faulted, number) == .writeFaultReuses)
      let other = PageMapEntry(raw: before[number].raw ^ 1)
      #expect(hazard.asked(Observation(arrival: other, touched: other), number) == ForkHazard.copies)
    }
  }

  @Test("a swap entry that was read back is applied, and the store that keeps its frame names the guard")
  func pageoutGuard() {
    let hazard = PageoutHazard()
    let frame = PageMapEntry(raw: 1 << 63 | 5)
    // Mapped writable at once, or by the store's fault: the entry's mark decided both.
    for faults in [0, 1] {
      #expect(
        hazard.asked(Observation(arrival: frame, touched: frame, faults: faults), 0)?.name
          == "swap-entry-remembers-exclusive")
    }
    let other = PageMapEntry(raw: 1 << 63 | 6)
    #expect(hazard.asked(Observation(arrival: frame, touched: other), 0) == nil)
  }

  @Test(
    "a page's kind is proved: base pages are no huge ones, and one that a child shares is not exclusive",
    .enabled(if: Need.pageFrames.missing() == nil))
  func proofs() throws {
    let pages = try pages(depth: 1)
    let entries = try pages.entries()
    let flags = try #require(entries[0].frame.flatMap(PageFlags.of))
    guard case .reached = try pages.memory.prove(entries, flags) else {
      Issue.record("an exclusive base page is none")
      return
    }
    let huge = PageFlags(raw: flags.raw | 1 << 22)
    let hidden = PageMapEntry(raw: entries[0].raw & ~(1 << 56))
    let absent = PageMapEntry(raw: 0)
    for (entry, flags) in [(entries[0], huge), (hidden, flags), (absent, flags)] {
      guard case .missed = try pages.memory.prove([entry], flags) else {
        Issue.record("\(entry) \(flags) was taken for an exclusive base page")
        continue
      }
    }
  }
}
