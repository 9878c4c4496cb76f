extension TargetKind {
  /// A loop device with blocks of a page over a held file: no direct I/O leaves a byte of a page uncovered.
  public static let heldBlock4K = TargetKind(
    "held-block-4k", "a loop device with 4096-byte blocks over the held file: a read covers its pages",
    needs: [.loopDevices], schedules: [.staged], path: .block, alignment: 4096, arrivesWhole: false,
    leavesUnread: true,
    c: HeldBlock.c(blockSize: 4096)
  ) { _, pattern throws(TargetError) in
    try HeldBlock("held-block-4k", blockSize: 4096, pattern: pattern)
  }
}
