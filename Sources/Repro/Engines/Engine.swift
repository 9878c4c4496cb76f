/// One I/O between memory and a target.
struct Transfer: Sendable {
  var direction: Direction
  var descriptor: CInt
  /// Start of the memory, aligned as the target wants it.
  nonisolated(unsafe) var memory: UnsafeMutableRawPointer
  /// Bytes.
  var length: Int
  /// Bytes from the start of the target.
  var offset: Int64
}

/// A way to issue direct I/O and to wait for its end. All a trial knows of it is this.
protocol Engine: AnyObject, Sendable {
  /// Issues the transfer and waits for it.
  /// - Returns: the bytes transferred.
  func perform(_ transfer: Transfer) throws(KernelError) -> Int
}

/// The engines by name.
public enum EngineKind: String, Sendable, Codable, CaseIterable {
  /// pread(2) and pwrite(2).
  case pread
  /// preadv2(2) and pwritev2(2).
  case preadv2
  /// io_submit(2) and io_getevents(2), through libaio.
  case libaio

  func make() throws(KernelError) -> any Engine {
    switch self {
    case .pread: PreadEngine()
    case .preadv2: Preadv2Engine()
    case .libaio: try LibaioEngine()
    }
  }
}
