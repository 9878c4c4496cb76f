import Glibc

extension EngineKind {
  /// readv(2) and writev(2).
  public static let readv = EngineKind(
    "readv", "lseek(2), then readv(2) or writev(2): an I/O vector at the descriptor's position",
    traits: [.seeks], c: ReadvEngine.c
  ) { _ throws(KernelError) in ReadvEngine() }
}

/// An I/O vector at the descriptor's position, which is set before each I/O.
final class ReadvEngine: Engine {
  private var transfer: Transfer?

  func issue(_ transfer: Transfer) throws(KernelError) {
    if lseek(transfer.descriptor, off_t(transfer.offset), SEEK_SET) < 0 {
      throw .last("lseek to \(transfer.offset)")
    }
    self.transfer = transfer
  }

  func reap() throws(KernelError) -> Int {
    guard let transfer else { return 0 }
    let parts = transfer.vector
    let done =
      switch transfer.direction {
      case .read: readv(transfer.descriptor, parts, CInt(parts.count))
      case .write: writev(transfer.descriptor, parts, CInt(parts.count))
      }
    if done < 0 { throw .last("\(transfer.text) as a vector") }
    return done
  }

  static let c = CEngine(
    read: """
      struct iovec page = { buf, IO_END };

      if (lseek(fd, 0, SEEK_SET) < 0)
        return -1;
      return readv(fd, &page, 1);
      """,
    vectored: "lseek(fd, 0, SEEK_SET) < 0 ? -1 : readv(fd, parts, 2)")
}
