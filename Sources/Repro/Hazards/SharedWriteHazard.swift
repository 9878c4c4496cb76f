/// fork(2), then a direct write of the page that is shared now. The kernel takes it for reading only; if it took
/// what is shared, the next store would get a copy and the write would have what was there before.
/// See ``drawing``.
/// Linux 5.19 unshares a page before it is pinned for reading (FAULT_FLAG_UNSHARE, a7f226604170); who merely
/// takes references is not asked, so FUSE and the block layer do since they pin.
final class SharedWriteHazard: Hazard, Sendable {
  static let drawing = """
    writer                        kernel                       hazard / store
                                                               fork(): P1 shared, write-protected
    write(fd, buf) ------------>  takes P1 behind buf, though
                                  it is shared
                                                               store to buf: copy-on-write,
                                                               buf is P2, P1 is the child's
                                  the target gets P1's bytes
    verify: the store is not in what was written: LOST STORE
    """

  static let guards = [unshares]
  private static let unshares = Guard(
    "pin-unshares",
    "the write took another frame than the child has, mapped here alone, and the store kept it")

  private let fork: ForkHazard

  init(depth: Int) throws(KernelError) { fork = try ForkHazard(.stays, depth: depth) }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] { try fork.act(pages) }
  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] { try fork.settle(pages) }

  /// Its frame as the I/O has it tells: before the I/O it was the child's.
  func asked(_ page: Observation, _ number: Int) -> Guard? {
    guard let shared = fork.childEntries[number].frame, shared == page.hazarded?.frame,
      let taken = page.taken, let frame = taken.frame
    else { return nil }
    return frame != shared && taken.isExclusive && page.touched?.frame == frame ? Self.unshares : nil
  }
}
