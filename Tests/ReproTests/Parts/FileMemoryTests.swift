import CKernel
import Glibc
import TestHost
import Testing

@testable import Repro

private let scratchDisk = ["ext4", "xfs", "btrfs"].map { GuestDisk($0, fileSystem: $0) }.first {
  $0.placeNeed.missing() == nil
}

/// On whatever the scratch folder is on.
@Suite("Mapped files", .serialized, .exclusive, .enabled(if: Machine.canHold && scratchDisk != nil))
struct FileMemoryTests {
  private let depth = 3

  private func pages(_ memory: FileMemory) throws -> PagesUnderIO {
    PagesUnderIO(
      memory: memory, addresses: (0..<depth).map { memory.base + $0 * memory.stride }, stride: memory.stride,
      size: kernelPageSize, schedule: .staged, timeline: Timeline(), pageMap: try PageMap(),
      patience: Clock.seconds(5),
      transfer: Transfer(direction: .read, descriptor: -1, segments: [], offset: 0))
  }

  private func filled(_ state: FileMemory.State) throws -> (FileMemory, PagesUnderIO) {
    let memory = try FileMemory(
      state, on: try #require(scratchDisk), pieces: depth, pieceLength: kernelPageSize)
    try memory.renew()
    let pages = try pages(memory)
    for address in pages.addresses { memset(address, 7, kernelPageSize) }
    return (memory, pages)
  }

  private func proof(_ memory: FileMemory, _ pages: PagesUnderIO) throws -> Proof {
    let entries = try pages.entries()
    return memory.prove(entries, entries[0].frame.flatMap(PageFlags.of))
  }

  private func isReached(_ proof: Proof) -> Bool { if case .reached = proof { true } else { false } }

  @Test("are proved in their state, and renewed", arguments: FileMemory.State.allCases)
  func states(state: FileMemory.State) throws {
    let (memory, pages) = try filled(state)
    try memory.enter(pages)
    let proof = try proof(memory, pages)
    // Base pages in the page cache are a file system's right.
    if state == .large, !isReached(proof) { return }
    #expect(isReached(proof), "\(proof)")
    try memory.renew()
    #expect(pages.addresses.allSatisfy { ck_load8($0) == 0 }, "cut and grown again, the file is empty")
  }

  @Test("in one state are not taken for another")
  func otherStates() throws {
    let (dirty, pages) = try filled(.shared)
    let entries = try pages.entries()
    let flags = try #require(entries[0].frame.flatMap(PageFlags.of))
    let disk = try #require(scratchDisk)
    func proof(_ state: FileMemory.State, _ entries: [PageMapEntry], _ flags: PageFlags?) throws -> Proof {
      try FileMemory(state, on: disk, pieces: depth, pieceLength: kernelPageSize).prove(entries, flags)
    }
    #expect(isReached(dirty.prove(entries, flags)))
    for state in [FileMemory.State.clean, .copied] { #expect(!isReached(try proof(state, entries, flags))) }
    #expect(!isReached(try proof(.large, entries, PageFlags(raw: flags.raw & ~(1 << 15 | 1 << 16)))))
    let anonymous = PageFlags(raw: flags.raw | 1 << 12)
    let shmem = PageFlags(raw: flags.raw | 1 << 14)
    for flags in [anonymous, shmem, nil] { #expect(!isReached(dirty.prove(entries, flags))) }
    #expect(!isReached(dirty.prove(Array(repeating: PageMapEntry(raw: 0), count: depth), flags)))
  }

  @Test(
    "of a file are read back from its disk once they were taken",
    arguments: [FileMemory.State.shared, .clean])
  func reclaim(state: FileMemory.State) throws {
    let (memory, pages) = try filled(state)
    #expect(try memory.reclaim(pages) == Array(repeating: true, count: depth))
    #expect(pages.addresses.allSatisfy { ck_load8($0) == 7 })
  }
}
