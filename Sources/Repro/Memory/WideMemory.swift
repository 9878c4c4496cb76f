import Glibc
import SystemPackage

extension MemoryKind {
  /// Base pages where a huge page would fit.
  public static let wide = MemoryKind(
    "wide", "private anonymous base pages in a range that a huge page fits",
    needs: [.transparentHugePages, .pageFrames],
    settings: [.file(THPMemory.enabled, "madvise", accepted: ["never"], .skip)],
    traits: [.private, .swappable, .divisible, .mergeable, .anonymous, .collapsible], catalogued: ["anon"],
    maximumDepth: 8, isState: true, c: CMemory.wide
  ) { pieces, length throws(KernelError) in
    guard let size = KernelFile.number(THPMemory.sizeFile) else {
      throw KernelError("read \(THPMemory.sizeFile)", .noSuchFileOrDirectory)
    }
    return try AnonMemory(pieces: pieces, pieceLength: length, unit: size)
  }
}

extension CMemory {
  /// Base pages, mapped as a huge page would be.
  fileprivate static let wide: CMemory = {
    var memory = anon()
    memory.mapSize = THPMemory.c.mapSize
    return memory
  }()
}
