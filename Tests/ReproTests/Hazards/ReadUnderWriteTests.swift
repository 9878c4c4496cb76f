import CKernel
import Glibc
import TestHost
import Testing

@testable import Repro

/// A direct write of a real file that is held by a fault, and the read of the same range meanwhile.
@Suite(
  "Reads under writes", .serialized, .exclusive,
  .enabled(if: Need.userfaultfd.missing() == nil && Need.pageFrames.missing() == nil))
struct ReadUnderWriteTests {
  private static let pattern = Pattern(seed: 77)

  /// What stands in a sector of the range when it is read, besides what was there before.
  enum Plant: CaseIterable, Sendable { case nothing, all, half, zeros, other }

  /// Puts something on the disk before it reads, as a disk that tears sectors would.
  private final class Planting: HazardUnderOtherIO, @unchecked Sendable {
    let plant: Plant

    init(_ plant: Plant, depth: Int) throws(KernelError) {
      self.plant = plant
      super.init(try ReadUnderWriteHazard(depth: depth))
    }

    override func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
      let size = Pattern.blockSize
      let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: kernelPageSize)
      defer { block.deallocate() }
      let page = pages.count - 1
      let place = off_t(pages.place(page))
      if pread(pages.transfer.descriptor, block, size, place) != size { throw .last("read") }
      switch plant {
      case .nothing: break
      case .all: memcpy(block, pages.addresses[page], size)
      case .half: memcpy(block, pages.addresses[page], size / 2)
      case .zeros: memset(block, 0, size / 2)
      case .other:
        ReadUnderWriteTests.pattern.fill(block, 0..<size, with: Stamp(.file, generation: 0, block: 3))
      }
      if pwrite(pages.transfer.descriptor, block, size, place) != size { throw .last("write") }
      return try super.act(pages)
    }
  }

  private func trial(_ plant: Plant, depth: Int) throws -> TrialRecord? {
    let target = try ScratchFile(
      path: TargetSpec.usualFolder, overwrite: false, length: 1 << 16, pattern: Self.pattern)
    defer { target.close() }
    guard target.path == .block, target.alignment <= Pattern.blockSize else { return nil }
    try target.prepareHold()
    let like = try #require(Scenario.named("read-under-write"))
    let scenario = Scenario(
      like.name, like.summary, direction: like.direction, steps: like.steps, guards: like.guards,
      losses: like.losses
    ) { depth throws(KernelError) in try Planting(plant, depth: depth) }
    let one = Case(
      scenario: scenario, memory: .anon, engine: .pread, target: TargetSpec(.scratch), schedule: .staged)
    let staged = try Staged(one, target, depth: depth, pattern: Self.pattern, patience: Clock.seconds(10)) {
      depth throws(KernelError) in try EngineKind.pread.make(depth)
    }
    defer { staged.close() }
    return try staged.run(0)
  }

  @Test(
    "a sector that is neither old nor new is damage, whole ones are not", arguments: Plant.allCases, [1, 3])
  func sectors(plant: Plant, depth: Int) throws {
    guard let record = try trial(plant, depth: depth) else { return }
    let kinds: [Damage.Kind] =
      switch plant {
      case .nothing, .all: []
      case .half: [.torn]
      case .zeros: [.zeroed, .torn]
      case .other: [.foreign]
      }
    #expect(Set(record.damage.map(\.kind)) == Set(kinds), "\(record.damage)")
    #expect(record.damage.allSatisfy { $0.region == .reader && $0.page == depth - 1 && $0.offset < 512 })
    #expect(record.isExplained && record.lost == (kinds.isEmpty ? [] : [depth - 1]))
    // Page by page: those that were not lost were asked, and right.
    #expect(record.inFlight == depth)
    #expect(record.guards.values.reduce(0, +) == depth - record.lost.count, "\(record.guards)")
  }
}
