import Glibc
import Synchronization
import SystemPackage
import Testing

@testable import Repro

/// What trials of direct writes and mapped buffers find when it is planted: each detector fires, and is silent else.
@Suite("Paths of data")
struct PathTrialTests {
  private static let pattern = Pattern(seed: 31)

  /// A staged trial of `direction` on a target of memory.
  private func trial(
    _ direction: Direction, target: MemoryTarget = MemoryTarget(pattern), caching: Scenario.Caching = .none,
    settle: @escaping @Sendable (PagesUnderIO) throws(KernelError) -> [View] = { _ in [] }
  ) throws -> TrialRecord {
    let hazard = ToldHazard(settle: settle)
    let scenario = Scenario(
      "told", "as told", direction: direction, losses: [.unreadable, .copiesDiffer], caching: caching
    ) { _ throws(KernelError) in hazard }
    let one = Case(
      scenario: scenario, memory: .anon, engine: .pread, target: TargetSpec(.held), schedule: .staged)
    let staged = try Staged(one, target, depth: 1, pattern: Self.pattern, patience: Clock.seconds(10)) {
      _ throws(KernelError) in MemoryEngine(target, deliver: MemoryEngine.right)
    }
    defer { staged.close() }
    return try staged.run(0)
  }

  @Test("a file behind the buffer must hold the data", arguments: [true, false])
  func behindTheBuffer(isThere: Bool) throws {
    let disk = try AddressRange(length: kernelPageSize)
    try AddressRange.map(disk.base, disk.length, MAP_PRIVATE | MAP_ANONYMOUS)
    let record = try trial(.read) { (pages) throws(KernelError) in
      memcpy(disk.base, pages.addresses[0], pages.size)
      if !isThere { Self.pattern.fill(disk.base, 0..<3584, with: Stamp(.fill, generation: 1, block: 0)) }
      return [View(page: 0, copy: disk.base, region: .disk, content: .data)]
    }
    #expect(record.damage.map(\.kind) == (isThere ? [] : [.lostOnDisk]))
    #expect(
      record.damage.allSatisfy { $0.region == .disk && $0.provenance.hasPrefix("fill of generation 1") })
  }

  @Test("a page cache that still shows what stood there before a write is stale")
  func staleCache() throws {
    let cache = try AddressRange(length: kernelPageSize)
    try AddressRange.map(cache.base, cache.length, MAP_PRIVATE | MAP_ANONYMOUS)
    let record = try trial(.write) { (pages) throws(KernelError) in
      Self.pattern.fill(cache.base, 0..<kernelPageSize, with: Stamp(.file, generation: 0, block: 0))
      return [View(page: 0, copy: cache.base, region: .cache, content: .data)]
    }
    #expect(record.damage.map(\.kind) == [.stale])
  }

  @Test("what can't be read back for its checksum is damage; other errors are the harness's")
  func unreadable() throws {
    let target = MemoryTarget(Self.pattern)
    target.readBackError.withLock { $0 = .ioError }
    let record = try trial(.write, target: target)
    #expect(record.damage.map(\.kind) == [.unreadable] && record.isExplained)
    target.readBackError.withLock { $0 = .noSpace }
    #expect(throws: KernelError.self) { try trial(.write, target: target) }
  }

  @Test("copies of a target that differ are damage, and say where")
  func copies() throws {
    let target = MemoryTarget(Self.pattern)
    target.halves.withLock { $0 = [[1, 2, 3, 4], [1, 2, 3, 4]] }
    #expect(try trial(.write, target: target).damage == [])
    target.halves.withLock { $0 = [[1, 2, 3, 4], [1, 9, 9, 4]] }
    let damage = try trial(.write, target: target).damage
    #expect(damage.map(\.kind) == [.copiesDiffer])
    #expect(damage.first?.offset == 1 && damage.first?.length == 2)
    #expect(damage.first?.expected == "02 03" && damage.first?.found == "09 09")
  }

  @Test("I/O that took the other way through the page cache than it should exposes nothing")
  func way() throws {
    #expect(throws: TrialError.notDirect) {
      try trial(.read, target: MemoryTarget(Self.pattern, isBuffered: true))
    }
    #expect(throws: TrialError.notBuffered) { try trial(.read, caching: .only) }
    #expect(TrialError.notBuffered.isMiss)
    for isBuffered in [true, false] {
      let target = MemoryTarget(Self.pattern, isBuffered: isBuffered)
      #expect(try trial(.read, target: target, caching: .allowed).isExposure)
    }
  }

  @Test("a hold by fault puts its page last under direct I/O, and first under a buffered read")
  func order() throws {
    guard Need.userfaultfd.missing() == nil else { return }
    let hold = try FaultHold(length: 512)
    defer { hold.end() }
    let segment = Segment(memory: UnsafeMutableRawPointer(bitPattern: 4096)!, length: 3584)
    let transfer = Transfer(direction: .read, descriptor: -1, segments: [segment], offset: 65536)
    let direct = hold.extend(transfer, isBuffered: false)
    #expect(direct.segments.map(\.length) == [3584, 512] && direct.offset == 65536)
    let buffered = hold.extend(transfer, isBuffered: true)
    #expect(buffered.segments.map(\.length) == [512, 3584] && buffered.offset == 65536 - 512)
  }

  @Test("a guest reads the line that the host wrote of a disk, and nothing else")
  func disks() {
    let (disk, devices) =
      GuestDisk.reading("raid1 mirrored - /dev/vdc /dev/vdd") ?? (GuestDisk("", fileSystem: nil), [])
    #expect(disk == TargetKind.raid1.disk && devices == ["/dev/vdc", "/dev/vdd"])
    #expect(GuestDisk.reading("ext4 plain ext4 /dev/vdc")?.0 == TargetKind.ext4.disk)
    for line in ["raid1 mirrored - /dev/vdc", "ext4 plain ext4", "x striped - /dev/vdc", ""] {
      #expect(GuestDisk.reading(Substring(line)) == nil)
    }
  }

  @Test("stores to the buffer of a direct write are a known bug's hazard, whatever else is done")
  func writeControls() throws {
    func expectation(_ scenario: String, _ path: IOPath, _ release: String) throws -> Catalogue.Expectation {
      let name = CaseName(
        scenario: scenario, memory: "anon", engine: "pread", target: "btrfs", schedule: .race)
      return Catalogue.standard.expectation(
        name, role: .negativeControl, path: path, version: try #require(KernelVersion(release)))
    }
    guard case .possible(let bugs) = try expectation("fork-write", .btrfs, "6.1.176") else {
      Issue.record("fork-write on btrfs has no record")
      return
    }
    #expect(bugs.map(\.id) == ["btrfs-unstable-write"])
    #expect(try expectation("fork-write", .btrfs, "6.12.117") == .clean)
    #expect(try expectation("fork-write", .block, "6.1.176") == .clean)
  }
}
