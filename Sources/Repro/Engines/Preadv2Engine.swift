import CKernel
import Glibc

extension EngineKind {
  /// preadv2(2) and pwritev2(2).
  public static let preadv2 = EngineKind(
    "preadv2", "preadv2(2), pwritev2(2): an I/O vector", c: Preadv2Engine.c
  ) { _ throws(KernelError) in Preadv2Engine() }
}

/// preadv2(2), pwritev2(2): the memory comes to the kernel as an I/O vector.
final class Preadv2Engine: Engine {
  private var transfer: Transfer?

  func issue(_ transfer: Transfer) { self.transfer = transfer }

  func reap() throws(KernelError) -> Int {
    guard let transfer else { return 0 }
    let parts = transfer.vector
    let count = CInt(parts.count)
    while true {
      let done =
        switch transfer.direction {
        case .read: ck_preadv2(transfer.descriptor, parts, count, transfer.offset)
        case .write: ck_pwritev2(transfer.descriptor, parts, count, transfer.offset)
        }
      // A signal that comes before the server has read the request takes it away again.
      if done != -Int(EINTR) { return try check(done, "pv2 \(transfer.text)") }
    }
  }

  static let c = CEngine(
    read: """
      struct iovec part = { buf, IO_END };

      return preadv2(fd, &part, 1, 0, 0);
      """,
    vectored: "preadv2(fd, parts, 2, 0, 0)")
}
