import CLibaio
import Glibc
import SystemPackage

/// libaio: io_submit returns with the pages taken and the I/O in flight, io_getevents reaps it.
final class LibaioEngine: Engine, @unchecked Sendable {  // only the I/O thread calls perform
  private var context: io_context_t?

  init() throws(KernelError) {
    try check(io_setup(1, &context), "io_setup")
  }

  deinit { io_destroy(context) }

  func perform(_ transfer: Transfer) throws(KernelError) -> Int {
    var request = iocb()
    switch transfer.direction {
    case .read:
      io_prep_pread(&request, transfer.descriptor, transfer.memory, transfer.length, transfer.offset)
    case .write:
      io_prep_pwrite(&request, transfer.descriptor, transfer.memory, transfer.length, transfer.offset)
    }
    let what = "\(transfer.direction) \(transfer.length) bytes at \(transfer.offset)"
    return try withUnsafeMutablePointer(to: &request) { (pointer) throws(KernelError) -> Int in
      var batch: UnsafeMutablePointer<iocb>? = pointer
      try check(io_submit(context, 1, &batch), "io_submit \(what)")
      var event = io_event()
      var reaped: CInt
      repeat { reaped = io_getevents(context, 1, 1, &event, nil) } while reaped == -EINTR
      try check(reaped, "io_getevents \(what)")
      return try check(Int(bitPattern: event.res), "libaio \(what)")
    }
  }
}
