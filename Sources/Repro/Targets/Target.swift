/// How a target's direct I/O takes hold of memory: bugs are fixed path by path.
public enum IOPath: String, Sendable, Codable, CaseIterable {
  /// fs/fuse.
  case fuse
  /// Block layer: devices and the file systems on them.
  case block
}

/// What is read and written: blocks of known content, open for direct I/O.
protocol Target: AnyObject, Sendable {
  /// For reports.
  var name: String { get }
  var path: IOPath { get }
  /// Opened O_RDWR | O_DIRECT.
  var descriptor: CInt { get }
  /// What lengths, offsets and addresses of direct I/O must be multiples of, in bytes.
  var alignment: Int { get }

  /// The place of trial number `trial`'s I/O of `length` bytes and what stands there.
  func place(trial: Int, length: Int, _ direction: Direction) -> (offset: Int64, content: Stamp)

  /// What the target holds at `offset` now, past any cache that a direct write could leave wrong.
  func readBack(offset: Int64, into buffer: UnsafeMutableRawPointer, length: Int) throws(KernelError)

  /// Gives everything back; the target can't be used any more.
  func close()
}

/// A target that keeps an I/O in flight until it is told to let go.
protocol HoldingTarget: Target {
  /// Opens the target, in the descriptor table of the I/O thread, which calls this first of all.
  ///
  /// No table may ever hold both the target and the server's descriptors: a process that is killed
  /// flushes the one before the other is released, and waits for a server that is gone, in D state
  /// for ever. So this closes the server's in the caller's table, and then opens.
  func openOnIOThread() throws(KernelError)
  /// The next I/O that is `transfer`, by direction, place and length, will be held.
  func arm(_ transfer: Transfer, _ timeline: Timeline)
  /// Returns once the armed I/O is in flight with its pages taken.
  /// - Returns: false when it didn't come in time.
  func awaitHeld(timeout: Nanoseconds) -> Bool
  /// Lets the held I/O complete.
  func release() throws(KernelError)
  /// Ends all I/O with an error; the target can't be used any more.
  func abort()
}
