import CKernel
import Glibc
import SystemPackage

extension EngineKind {
  /// io_uring, IORING_OP_READ and IORING_OP_WRITE.
  public static let ioUring = EngineKind(
    "io_uring", "io_uring, IORING_OP_READ; deep I/O is a request a page", needs: [.ioUring],
    traits: [.asynchronous, .workers], c: IOUringEngine.c
  ) { depth throws(KernelError) in try IOUringEngine(depth: depth) }
}

extension Need {
  /// A kernel that sets up an io_uring for us.
  static let ioUring = Need("io_uring") {
    var ring: OpaquePointer?
    let result = ck_uring_open(1, &ring)
    if result >= 0 { _ = ck_uring_close(ring) }
    return switch -result {
    case ...0: nil
    case ENOSYS: "the kernel has no io_uring: build it with CONFIG_IO_URING=y, Linux 5.4 or later"
    case EPERM, EACCES:
      "io_uring is forbidden here: set kernel.io_uring_disabled=0, or lift the seccomp filter"
    default: "io_uring_setup: \(Errno(rawValue: -result))"
    }
  }
}

/// io_uring: a submission returns once the request is on its way. Reads of files without nowait support,
/// FUSE's among them, go on in a kernel worker, which takes the pages: the submission alone does not tell
/// that they are taken.
class IOUringEngine: Engine {
  private let ring: OpaquePointer?
  private let isFixed: Bool
  private var results: [Int32]
  private var pending = 0

  init(depth: Int, isFixed: Bool = false) throws(KernelError) {
    self.isFixed = isFixed
    results = Array(repeating: 0, count: depth)
    var ring: OpaquePointer?
    try check(ck_uring_open(UInt32(depth), &ring), "io_uring_setup")
    self.ring = ring
  }

  deinit { _ = ck_uring_close(ring) }

  /// Pins all of the memory for I/O to come (IORING_REGISTER_BUFFERS).
  final func register(_ region: Segment) throws(KernelError) {
    try check(
      ck_uring_register(ring, region.memory, region.length), "io_uring_register \(region.length) bytes")
  }

  final func unregister() { _ = ck_uring_unregister(ring) }

  func attach(_ region: Segment) throws(KernelError) {}
  func detach() {}

  func issue(_ transfer: Transfer) throws(KernelError) {
    for (tag, part) in transfer.placed.enumerated() {
      let queued = ck_uring_queue(
        ring, transfer.direction == .write ? 1 : 0, isFixed ? 1 : 0, transfer.descriptor, part.segment.memory,
        UInt32(part.segment.length), part.offset, UInt32(tag))
      try check(queued, "io_uring \(transfer.text)")
    }
    pending = transfer.segments.count
    try check(ck_uring_submit(ring), "io_uring_enter \(transfer.text)")
  }

  func reap() throws(KernelError) -> Int {
    let count = pending
    pending = 0
    if count == 0 { return 0 }
    try check(ck_uring_wait(ring, UInt32(count), &results), "io_uring_enter")
    for result in results[..<count] where result < 0 {
      throw KernelError("io_uring", Errno(rawValue: -result))
    }
    return results[..<count].reduce(0) { $0 + Int($1) }
  }

  static let c = CEngine(
    includes: ["linux/io_uring.h"],
    globals: """
      static struct io_uring_params params;
      static struct io_uring_sqe *sqe;
      static char *rings;
      static int ring;
      #define RING(offset) (*(__u32 *)(rings + params.offset))

      static void open_ring(void)
      {
        ring = syscall(SYS_io_uring_setup, 1, &params);
        if (ring < 0 || !(params.features & IORING_FEAT_RW_CUR_POS))
          END(SKIPPED, "io_uring_setup: %m; needs Linux 5.6 with CONFIG_IO_URING, and sysctl "
            "kernel.io_uring_disabled=0");
        rings = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
        sqe = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
        if (rings == MAP_FAILED || sqe == MAP_FAILED)
          END(ERROR, "mmap an io_uring: %m");
      }

      /* Reads, with the one entry that the ring has. */
      static long ring_read(int opcode, int fd)
      {
        const struct io_uring_cqe *cqes = (void *)&RING(cq_off.cqes);
        int result;

        *sqe = (struct io_uring_sqe){
          .opcode = opcode, .fd = fd, .addr = (unsigned long)buf, .len = IO_END };
        RING(sq_off.tail)++;
        while (__atomic_load_n(&RING(cq_off.tail), __ATOMIC_ACQUIRE) == RING(cq_off.head))
          if (syscall(SYS_io_uring_enter, ring, RING(sq_off.tail) - RING(sq_off.head), 1,
              IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno != EINTR)
            END(ERROR, "io_uring_enter: %m");
        result = cqes[RING(cq_off.head)++ & RING(cq_off.ring_mask)].res;
        errno = -result;
        return result < 0 ? -1 : result;
      }
      """,
    read: """
      if (!rings)
        open_ring();
      return ring_read(IORING_OP_READ, fd);
      """)
}
