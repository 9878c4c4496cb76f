import CKernel
import Glibc
import Repro
import Synchronization

/// A supervised worker that ends badly, for CrashTests: `Crasher HOW` prints how its supervisor saw it.
@main
enum Crasher {
  /// What the worker does.
  enum How: String {
    case null, trap, abort, overflow
    case threadOverflow = "thread-overflow"
    /// A child of the worker crashes, and it goes on.
    case child
    /// A thread forks on the stack of another one that has ended, and that was hidden from children.
    case usedStack = "used-stack"
    /// It waits for its own FUSE server, so that not even SIGKILL ends it,
    case hang
    /// and crashes then.
    case hangAndTrap = "hang-trap"
  }

  static func main() throws {
    guard CommandLine.arguments.count == 2, let how = How(rawValue: CommandLine.arguments[1]) else {
      fatalError("usage: Crasher HOW")
    }
    let end = try Supervisor.run(seconds: 2) { work(how) }
    print(end.ending)
  }

  private static func work(_ how: How) -> Int32 {
    switch how {
    case .null: ck_store64(UnsafeMutableRawPointer(bitPattern: 8), 0)
    case .trap: fatalError("told to")
    case .abort: abort()
    case .overflow: return Int32(truncatingIfNeeded: deep(0))
    case .threadOverflow:
      inThread {
        _ = ck_crash_stack()
        exit(Int32(truncatingIfNeeded: deep(0)))
      }
    case .child:
      let child = ck_fork()
      if child == 0 { raise(SIGSEGV) }
      var status: Int32 = 0
      waitpid(child, &status, 0)
      return status & 0x7f == SIGSEGV ? 0 : 1
    case .usedStack: return usedStack()
    case .hang, .hangAndTrap:
      let server = SilentServer()
      inThread { server.serve() }
      inThread { server.waitForIt() }
      while !server.isHolding.load(ordering: .relaxed) { usleep(1000) }
      if how == .hangAndTrap { fatalError("told to") }
    }
    sleep(3600)
    return 0
  }

  private static func usedStack() -> Int32 {
    let first = Atomic(0)
    let second = Atomic(0)
    let status = Atomic<Int32>(-1)
    do {
      let worker = try Worker<Void, Void> {
        () throws(KernelError) in
      } work: { _, _ in
        first.store(placeOnStack, ordering: .relaxed)
      }
      worker.start(())
      _ = worker.finish(timeout: 10_000_000_000)
      worker.stop()
      try SystemThread {
        second.store(placeOnStack, ordering: .relaxed)
        let child = ck_fork()
        if child == 0 { _exit(0) }
        var ended: Int32 = 0
        waitpid(child, &ended, 0)
        status.store(ended, ordering: .relaxed)
      }.join()
    } catch {
      return 2
    }
    let distance = abs(first.load(ordering: .relaxed) - second.load(ordering: .relaxed))
    if distance > 1 << 16 { return 3 }  // another stack: this showed nothing
    return status.load(ordering: .relaxed) == 0 ? 0 : 1
  }

  private static var placeOnStack: Int {
    withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) { Int(bitPattern: $0.baseAddress) }
  }

  @inline(never)
  private static func deep(_ depth: Int) -> Int {
    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) {
      ck_store64($0.baseAddress, UInt64(depth))
      return deep(depth + 1) + Int(ck_load64($0.baseAddress))
    }
  }

  private static func inThread(_ body: @escaping @Sendable () -> Void) {
    final class Box {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      {
        Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().body()
        return nil
      }, Unmanaged.passRetained(Box(body)).toOpaque())
  }
}

/// A FUSE server that answers no read, in the process that reads, with its descriptor in the one table of
/// all threads: what HeldFile and IOThread take care not to be.
final class SilentServer: Sendable {
  private let device: CInt
  private let mount: CInt
  /// Whether a read has been taken.
  let isHolding = Atomic(false)

  init() {
    device = open("/dev/fuse", O_RDWR | O_CLOEXEC)
    var step: UnsafePointer<CChar>?
    mount = ck_fuse_mount(device, getuid(), getgid(), &step)
    if mount < 0 { fatalError(step.map { String(cString: $0) } ?? "") }
    ck_tell_connection(UInt32(ck_fuse_connection(mount)))
  }

  func waitForIt() {
    let file = open("/proc/self/fd/\(mount)", O_RDONLY)
    var byte: UInt8 = 0
    read(file, &byte, 1)
  }

  func serve() {
    let request = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    while read(device, request.baseAddress, request.count) > 0 {
      let header = request.load(as: fuse_in_header.self)
      switch fuse_opcode(rawValue: header.opcode) {
      case FUSE_INIT:
        var out = fuse_init_out()
        out.major = UInt32(FUSE_KERNEL_VERSION)
        out.minor = 31
        out.max_write = 4096
        answer(header.unique, out)
      case FUSE_OPEN:
        var out = fuse_open_out()
        out.open_flags = UInt32(FOPEN_DIRECT_IO)
        answer(header.unique, out)
      case FUSE_READ: isHolding.store(true, ordering: .relaxed)
      default: break
      }
    }
  }

  private func answer<Body>(_ unique: UInt64, _ body: Body) {
    let length = MemoryLayout<fuse_out_header>.size + MemoryLayout<Body>.size
    let header = fuse_out_header(len: UInt32(length), error: 0, unique: unique)
    let bytes = withUnsafeBytes(of: header) { Array($0) } + withUnsafeBytes(of: body) { Array($0) }
    _ = write(device, bytes, bytes.count)
  }
}
