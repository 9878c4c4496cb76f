// What the page cache and direct writes have to do with direct I/O: scenarios of the path that data takes, beside
// those of memory in the table.

extension Scenario {
  /// Hazards of buffers that are part of a page cache, and of direct writes.
  static let paths: [Scenario] = [
    Scenario(
      "mapped-fsync", "fsync of a buffer that is mapped from a file, which must get the data on the disk",
      steps: .held(.none), drawing: MappedBufferHazard.drawing, guards: MappedBufferHazard.guards,
      needs: [.pageFrames], memory: [.cached], losses: mappedLosses, raceObstacle: inOrder,
      withoutC: onDisk
    ) { depth throws(KernelError) in try MappedBufferHazard(depth: depth, reclaims: false) },
    Scenario(
      "mapped-reclaim", "fsync and MADV_PAGEOUT of a buffer that is mapped from a file",
      steps: .held(.none), drawing: MappedBufferHazard.drawing, guards: MappedBufferHazard.guards,
      needs: [.pageFrames], memory: [.cached, .inPlace], losses: mappedLosses, raceObstacle: inOrder,
      withoutC: onDisk
    ) { depth throws(KernelError) in try MappedBufferHazard(depth: depth, reclaims: true) },
    Scenario(
      "write-to-buffer", "a direct write to other bytes of the page of a page cache that is the buffer",
      steps: .held(.none), drawing: WriteToBufferHazard.drawing, guards: WriteToBufferHazard.guards,
      needs: [.pageFrames], memory: [.cached, .inPlace], raceObstacle: inOrder, withoutC: onDisk
    ) { _ throws(KernelError) in WriteToBufferHazard() },
    Scenario(
      "write-to-cached",
      "a direct write to a range that is mapped, and read through the page cache meanwhile",
      direction: .write, steps: .held(.none), drawing: CachedRangeHazard.drawing,
      guards: CachedRangeHazard.guards,
      losses: [.stale], caching: .allowed, waitsForTarget: true, withoutC: writeWithoutC
    ) { depth throws(KernelError) in try CachedRangeHazard(depth: depth) },
    Scenario(
      "read-under-write", "a direct write to a range that is read directly meanwhile",
      direction: .write, steps: .held(.none), drawing: ReadUnderWriteHazard.drawing,
      guards: ReadUnderWriteHazard.guards, losses: [.torn, .zeroed, .stale, .foreign, .unreadable],
      withoutC: writeWithoutC
    ) { depth throws(KernelError) in try ReadUnderWriteHazard(depth: depth) },
    unstableWrite,
  ]

  /// The same hazards under buffered reads, which can't lose.
  static let buffered: [Scenario] = [
    Scenario(
      "control-buffered", "negative control: user space replaces the page under a buffered read",
      role: .negativeControl, guards: BufferedRead.guards, needs: [.pageFrames], losses: [], caching: .only,
      raceObstacle: "what user space copies while the data comes is lost by user space",
      withoutC: neverLost
    ) { _ throws(KernelError) in BufferedRead(RemapHazard()) },
    Scenario(
      "fork-buffered", "negative control: fork, then a store, under a buffered read", role: .negativeControl,
      guards: BufferedRead.guards, memory: [.private], losses: [], caching: .only,
      withoutC: neverLost
    ) { depth throws(KernelError) in BufferedRead(try ForkHazard(.stays, depth: depth)) },
  ]

  /// What a direct write is a danger to, whatever else happens: see ``UnstableWriteHazard``.
  static let unstableWrite = Scenario(
    "unstable-write", "stores to the buffer of a direct write, and nothing else", direction: .write,
    drawing: UnstableWriteHazard.drawing, guards: UnstableWriteHazard.guards,
    losses: [.unreadable, .copiesDiffer], caching: .allowed, withoutC: writeWithoutC
  ) { _ throws(KernelError) in UnstableWriteHazard() }

  private static let mappedLosses: Set<Damage.Kind> = [
    .lostRead, .lostOnDisk, .unreadable, .lostAfterReclaim,
  ]
  private static let onDisk = "its memory is a file of the file system that is asked, and a program has none"
  private static let neverLost = "it is a control that can't lose, and programs have their own"
  private static let inOrder = "its steps have an order that a race does not keep"
}
