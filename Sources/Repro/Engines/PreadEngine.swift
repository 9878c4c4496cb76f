import CKernel
import Glibc

extension EngineKind {
  /// pread(2) and pwrite(2).
  public static let pread = EngineKind(
    "pread", "pread(2), pwrite(2); preadv(2), pwritev(2) when deep", c: PreadEngine.c
  ) {
    _ throws(KernelError) in PreadEngine()
  }
}

/// The plain system calls of 2008: pread(2), pwrite(2).
final class PreadEngine: Engine {
  private var transfer: Transfer?

  func issue(_ transfer: Transfer) { self.transfer = transfer }

  func reap() throws(KernelError) -> Int {
    guard let transfer else { return 0 }
    let offset = off_t(transfer.offset)
    let first = transfer.segments[0]
    let isOne = transfer.segments.count == 1
    let parts = transfer.vector
    let count = CInt(parts.count)
    while true {
      let done =
        switch (transfer.direction, isOne) {
        case (.read, true): pread(transfer.descriptor, first.memory, first.length, offset)
        case (.write, true): pwrite(transfer.descriptor, first.memory, first.length, offset)
        case (.read, false): preadv(transfer.descriptor, parts, count, offset)
        case (.write, false): pwritev(transfer.descriptor, parts, count, offset)
        }
      if done >= 0 { return done }
      // A signal that comes before the server has read the request takes it away again.
      if errno != EINTR { throw .last("p\(transfer.text)") }
    }
  }

  static let c = CEngine(
    read: """
      return pread(fd, buf, IO_END, 0);
      """,
    vectored: "preadv(fd, parts, 2, 0)")
}

extension Transfer {
  /// The segments as system calls want them.
  var vector: [iovec] { segments.map { iovec(iov_base: $0.memory, iov_len: $0.length) } }
}
