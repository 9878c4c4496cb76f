import CLibaio
import Glibc
import SystemPackage

extension EngineKind {
  /// io_submit(2) and io_getevents(2), through libaio.
  public static let libaio = EngineKind(
    "libaio", "io_submit(2), io_getevents(2) through libaio; deep I/O is a request a page", needs: [.aio],
    traits: [.asynchronous], c: LibaioEngine.c
  ) { depth throws(KernelError) in try LibaioEngine(depth: depth) }
}

extension Need {
  /// A kernel with asynchronous I/O.
  static let aio = Need("asynchronous I/O") {
    var context: io_context_t?
    let result = io_setup(1, &context)
    if result == 0 { io_destroy(context) }
    return switch -result {
    case 0: nil
    case ENOSYS: "the kernel has no AIO: build it with CONFIG_AIO=y"
    default: "io_setup: \(Errno(rawValue: -result)); raise /proc/sys/fs/aio-max-nr"
    }
  }
}

/// libaio: io_submit returns with the pages taken and the I/O in flight, io_getevents reaps it.
final class LibaioEngine: Engine {
  private var context: io_context_t?
  private var pending = 0

  init(depth: Int) throws(KernelError) {
    try check(io_setup(CInt(depth), &context), "io_setup")
  }

  deinit { io_destroy(context) }

  func issue(_ transfer: Transfer) throws(KernelError) {
    var requests = transfer.placed.map { segment, offset in
      var request = iocb()
      switch transfer.direction {
      case .read: io_prep_pread(&request, transfer.descriptor, segment.memory, segment.length, offset)
      case .write: io_prep_pwrite(&request, transfer.descriptor, segment.memory, segment.length, offset)
      }
      return request
    }
    pending = 0
    try requests.withUnsafeMutableBufferPointer { requests throws(KernelError) in
      guard let base = requests.baseAddress else { return }
      var batch: [UnsafeMutablePointer<iocb>?] = requests.indices.map { base + $0 }
      while pending < batch.count {
        let result = batch[pending...].withUnsafeMutableBufferPointer {
          io_submit(context, $0.count, $0.baseAddress)
        }
        if result == -EINTR { continue }
        try check(result, "io_submit \(transfer.text)")
        pending += Int(result)
      }
    }
  }

  func reap() throws(KernelError) -> Int {
    var events = [io_event](repeating: io_event(), count: max(1, pending))
    var total = 0
    var failure: CInt = 0
    while pending > 0 {
      let reaped = io_getevents(context, pending, pending, &events, nil)
      if reaped == -EINTR { continue }
      try check(reaped, "io_getevents")
      for event in events[..<Int(reaped)] {
        let result = Int(bitPattern: event.res)
        if result < 0 { failure = CInt(-result) } else { total += result }
      }
      pending -= Int(reaped)
    }
    if failure != 0 { throw KernelError("libaio", Errno(rawValue: failure)) }
    return total
  }

  static let c = CEngine(
    includes: ["linux/aio_abi.h", "signal.h", "sys/prctl.h"],
    globals: """
      /*
       * The last one to leave the memory of a dying process waits there for asynchronous reads (exit_aio).
       * It must not be main, whose /dev/fuse has to be closed for the held read to end: a process that
       * shares the memory and has no /dev/fuse stays until main is gone.
       */
      static int outlive(void *parent)
      {
        setsid(); /* Ctrl-C is not for us */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == (long)parent)
          pause();
        _exit(0);
      }

      static char stack[1 << 14]; /* its own */
      """,
    setUp: """
      if (clone(outlive, stack + sizeof(stack), CLONE_VM, (void *)(long)getpid()) < 0)
        END(ERROR, "clone: %m");
      """,
    read: """
      static aio_context_t context;
      struct iocb request = {
        .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = fd,
        .aio_buf = (unsigned long)buf, .aio_nbytes = IO_END };
      struct iocb *batch[] = { &request };
      struct io_event event;

      if (!context && syscall(SYS_io_setup, 1, &context) < 0)
        END(SKIPPED, "io_setup: %m; build the kernel with CONFIG_AIO");
      if (syscall(SYS_io_submit, context, 1L, batch) < 0)
        return -1;
      while (syscall(SYS_io_getevents, context, 1L, 1L, &event, NULL) != 1)
        if (errno != EINTR)
          return -1;
      errno = -event.res;
      return event.res < 0 ? -1 : event.res;
      """)
}
