import Glibc

/// The plain system calls of 2008: pread(2), pwrite(2).
final class PreadEngine: Engine {
  func perform(_ transfer: Transfer) throws(KernelError) -> Int {
    let offset = off_t(transfer.offset)
    let done =
      switch transfer.direction {
      case .read: pread(transfer.descriptor, transfer.memory, transfer.length, offset)
      case .write: pwrite(transfer.descriptor, transfer.memory, transfer.length, offset)
      }
    if done < 0 { throw .last("p\(transfer.direction) \(transfer.length) bytes at \(transfer.offset)") }
    return done
  }
}
