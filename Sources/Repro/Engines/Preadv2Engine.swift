import CKernel

/// preadv2(2), pwritev2(2): the memory comes to the kernel as an I/O vector.
final class Preadv2Engine: Engine {
  func perform(_ transfer: Transfer) throws(KernelError) -> Int {
    let done =
      switch transfer.direction {
      case .read:
        ck_preadv2(transfer.descriptor, transfer.memory, transfer.length, transfer.offset)
      case .write:
        ck_pwritev2(transfer.descriptor, transfer.memory, transfer.length, transfer.offset)
      }
    return try check(done, "p\(transfer.direction)v2 \(transfer.length) bytes at \(transfer.offset)")
  }
}
