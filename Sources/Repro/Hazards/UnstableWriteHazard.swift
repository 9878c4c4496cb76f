/// Nothing but stores to the buffer of a direct write, while it is under way.
/// See ``drawing``.
/// What the target holds afterwards is the old or the new value of each word: either is right. But who reads the buffer
/// twice, for a checksum and for the disk, or for two disks, may see two values. btrfs does since 968f19c5b1b7 (6.15,
/// 6.12.77, 6.6.130) what keeps them the same: it writes files with checksums from a copy. md does not.
final class UnstableWriteHazard: Hazard, Sendable {
  static let drawing = """
    writer                        kernel                    store
    write(F, O_DIRECT, buf) --->  takes buf's page P1
                                  checksum of P1; or P1 to
                                  the first disk
                                                            store to buf
                                  P1 to the disk; or to the
                                  second one
    <---------------------------
    read(F): the checksum is another: EIO, UNREADABLE; or the disks hold different bytes: COPIES DIFFER
    """

  static let guards = [isConsistent]
  private static let isConsistent = Guard(
    "write-sees-one-value",
    "the buffer was stored to while the write was in flight, and what was written could be read, the same everywhere"
  )

  func act(_ pages: PagesUnderIO) -> [HazardOutcome] { [.applied("only stores come in between")] }
  func asked(_ page: Observation, _ number: Int) -> Guard? { Self.isConsistent }
}
