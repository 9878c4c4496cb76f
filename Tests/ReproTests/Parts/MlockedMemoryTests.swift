import Glibc
import TestHost
import Testing

@testable import Repro

@Suite("Locked memory", .enabled(if: Machine.canHold && Need.lockedMemory.missing() == nil, "needs root"))
struct MlockedMemoryTests {
  private func proof(_ memory: any Memory) throws -> Proof {
    memset(memory.base, 1, memory.length)
    let entries = try PageMap().entries(of: memory.base, count: memory.length / kernelPageSize)
    return try memory.prove(entries, entries[0].frame.flatMap(PageFlags.of))
  }

  @Test("is proved while it is locked, also after a page was replaced, and not once it is unlocked")
  func proved() throws {
    let memory = try MlockedMemory(pieces: 3, pieceLength: kernelPageSize)
    for _ in 0..<2 {
      try memory.renew()
      #expect(try proof(memory) == .reached("anonymous base pages, locked"))
    }
    try memory.replace(memory.base)
    #expect(try proof(memory) == .reached("anonymous base pages, locked"))
    munlock(memory.base, memory.length)
    #expect(try proof(memory) == .missed("kpageflags say neither mlocked nor unevictable"))
  }
}
