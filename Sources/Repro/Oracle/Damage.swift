/// One contiguous run of bytes that are not what they must be.
public struct Damage: Sendable, Codable, Equatable {
  /// What happened to the bytes.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// The I/O said that it was done; memory holds what was there before it.
    case lostRead = "lost read"
    /// A CPU store is gone.
    case lostStore = "lost store"
    /// Data of an earlier trial.
    case stale
    /// Data of another place or writer, or of nobody in this run.
    case foreign
    /// Zeros.
    case zeroed
    /// Words that are partly the new bytes, partly the old.
    case torn
    /// A child born while the I/O was in flight sees data that arrived after its birth.
    case leakedToChild = "leaked to child"
    /// The I/O's data in memory that is none of its buffer: a twin's, or of whoever got the frame.
    case leakedElsewhere = "leaked elsewhere"
    /// A direct write said that it was done; the target holds what was there before it.
    case lostOnDisk = "lost on disk"
    /// What a direct write said was done can't be read: its checksum is that of other bytes.
    case unreadable
    /// The copies of what a direct write left are not the same.
    case copiesDiffer = "copies differ"
    /// Right after the I/O, wrong once the page went to swap and came back.
    case lostAfterSwap = "lost after swap"
    /// Right after the I/O, wrong once KSM merged the page and the cgroup that paid for it ended.
    case lostAfterMerge = "lost after merge"
    /// Right whenever it was looked at, until the kernel took the page and gave it back.
    case lostAfterReclaim = "lost after reclaim"
    /// Right whenever it was looked at, and wrong, here or in the child, after one more fork.
    case lostAfterFork = "lost after fork"
    /// Pages that are nobody's were left when all who had them were gone.
    case pagesLeaked = "pages leaked"
  }

  /// Which part of the buffer (or of whose view of it) is damaged.
  public enum Region: String, Sendable, Codable, CaseIterable {
    /// Covered by the I/O.
    case io
    /// Stored to by the CPU.
    case store
    /// Covered by the second read of the page.
    case second
    /// Neither.
    case untouched
    /// The child's view of the page.
    case child
    /// Another page of this process, which held the same bytes.
    case twin
    /// The target, read back; or the file that the buffer is mapped from.
    case disk
    /// The target, as its page cache shows it.
    case cache
    /// The target, as a read of the same range saw it meanwhile.
    case reader
  }

  /// When the verifier looked.
  public enum Look: String, Sendable, Codable {
    /// Right after the I/O returned.
    case first
    /// After the hazard was undone: the child is gone, the page came back from swap.
    case second
    /// After the kernel took the page and gave it back.
    case late
  }

  /// What happened.
  public var kind: Kind
  /// Where.
  public var region: Region
  /// When it was seen.
  public var look: Look
  /// Which of the pages under I/O, from 0.
  public var page = 0
  /// First bad byte, counted from the start of the page's piece of the buffer.
  public var offset: Int
  /// Bytes from the first to the last bad one.
  public var length: Int
  /// At most 16 bytes from `offset` as they must be, in hex.
  public var expected: String
  /// The same bytes as they are.
  public var found: String
  /// What the found bytes are: `fill of trial 3, block 8`, `differs in 1 bit`.
  public var provenance: String
}
