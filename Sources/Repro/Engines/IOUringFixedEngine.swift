import CKernel
import SystemPackage

extension EngineKind {
  /// io_uring with registered buffers, IORING_OP_READ_FIXED.
  public static let ioUringFixed = EngineKind(
    "io_uring-fixed", "io_uring with a registered buffer, IORING_OP_READ_FIXED", needs: [.ioUring],
    traits: [.asynchronous, .registers], c: IOUringFixedEngine.cFixed
  ) { depth throws(KernelError) in try IOUringFixedEngine(depth: depth) }
}

/// The buffer is pinned when it is registered (FOLL_PIN | FOLL_LONGTERM), and stays so: hazards may come
/// before the I/O.
final class IOUringFixedEngine: IOUringEngine {
  init(depth: Int) throws(KernelError) { try super.init(depth: depth, isFixed: true) }

  override func attach(_ region: Segment) throws(KernelError) { try register(region) }
  override func detach() { unregister() }

  static let cFixed = CEngine(
    includes: ["linux/io_uring.h"],
    globals: IOUringEngine.c.globals,
    read: """
      struct iovec page = { buf, IO_END };
      long result;

      if (!rings)
        open_ring();
      if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &page, 1) < 0)
        END(ERROR, "register the page: %m");
      @registered@
      result = ring_read(IORING_OP_READ_FIXED, fd);
      syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
      return result;
      """)
}
