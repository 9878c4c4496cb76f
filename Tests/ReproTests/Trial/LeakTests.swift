import Glibc
import TestHost
import Testing

@testable import Repro

/// Frames that are held once their memory was given back, and such that are not. io_uring's registered buffers hold
/// them, as a reference would that the kernel forgot.
@Suite(
  "Leak", .serialized, .exclusive, .enabled(if: Machine.canHold, "needs root and /dev/fuse"),
  .enabled(if: NUMANodes.withMemory != nil && Need.ioUring.missing() == nil, "needs NUMA and io_uring"))
struct LeakTests {
  @Test("a frame is held until the last reference goes, and none is that a process maps")
  func references() throws {
    let engine = try IOUringFixedEngine(depth: 1)
    let memory = try MemoryKind.anon.make(4, kernelPageSize)
    try memory.renew()
    for page in 0..<4 { memset(memory.base + page * memory.stride, 7, kernelPageSize) }
    let frames = Set(try PageMap().entries(of: memory.base, count: 4).compactMap(\.frame))
    #expect(memory.stride == kernelPageSize && frames.count == 4)
    try engine.attach(Segment(memory: memory.base, length: 2 * kernelPageSize))
    let short = Clock.milliseconds(50)
    #expect(try HeldFrames.among(frames, patience: short) == [], "they are mapped")
    let registered = try PageMap().entries(of: memory.base, count: 2).compactMap(\.frame)
    try memory.renew()
    #expect(try HeldFrames.among(frames, patience: short) == registered.sorted())
    engine.detach()
    #expect(try HeldFrames.among(frames) == [])
  }

  /// Names the frames of its pages, and may keep one for good.
  private final class Naming: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
    private let keeps: IOUringFixedEngine?
    private(set) var framesHad: Set<UInt64> = []

    init(keeps: Bool) throws(KernelError) { self.keeps = keeps ? try IOUringFixedEngine(depth: 1) : nil }

    func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
      let isFirst = framesHad.isEmpty
      framesHad.formUnion(try pages.entries().compactMap(\.frame))
      if isFirst { try keeps?.attach(Segment(memory: pages.addresses[0], length: pages.size)) }
      return [.applied("named the frame")]
    }

    func asked(_ page: Observation, _ number: Int) -> Guard? { Guard.none }
  }

  @Test("a case whose hazard names frames ends with a look at them", arguments: [true, false])
  func trials(keeps: Bool) throws {
    let naming = Scenario("naming", "names its frames", drawing: "-", losses: [.pagesLeaked]) {
      _ throws(KernelError) in try Naming(keeps: keeps)
    }
    let run = try CampaignRun(.staged, [naming])
    #expect(run.verdicts == [keeps ? .corrupt : .clean])
    let lost = run.observer.trials.filter(\.isLoss)
    #expect(lost.map { $0.damage.map(\.kind) } == (keeps ? [[.pagesLeaked]] : []))
    for leak in lost {
      #expect(leak.trial == 5 && leak.isExplained && leak.damage.first?.length == kernelPageSize)
    }
  }
}
