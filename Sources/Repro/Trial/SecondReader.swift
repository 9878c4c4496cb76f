import CKernel
import Synchronization

/// The thread that reads a second part of the page while the first read is held: a descriptor of its own
/// on the same target.
final class SecondReader: Sendable {
  private let io: IOThread
  private let descriptor: Mutex<CInt>

  init(_ target: any Target) throws(KernelError) {
    let opened = Mutex<CInt>(-1)
    io = try IOThread(.pread, depth: 1, makeEngine: EngineKind.pread.make) { () throws(KernelError) in
      let descriptor = try target.openAgain()
      opened.withLock { $0 = descriptor }
    }
    descriptor = Mutex(opened.withLock { $0 })
  }

  /// Does the transfer, with this thread's descriptor.
  /// - Throws: the read's error, or TrialError.
  func read(_ transfer: Transfer, _ timeline: Timeline, patience: Nanoseconds) throws {
    var own = transfer
    own.descriptor = descriptor.withLock { $0 }
    io.start(own, timeline)
    guard let completion = io.finish(timeout: patience) else { throw TrialError.hung }
    try completion.requireAll(of: own)
  }

  /// Whether no read is under way.
  var isIdle: Bool { io.isIdle }

  func stop() { io.stop() }
}
