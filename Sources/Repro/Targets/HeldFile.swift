import CKernel
import Glibc
import Synchronization
import SystemPackage

/// A file whose I/O stays in flight until released: a FUSE server in this process.
///
/// The file is opened with FOPEN_DIRECT_IO, so the kernel takes the reader's pages *before* it
/// sends FUSE_READ (fs/fuse/file.c, fuse_get_user_pages): that the request has arrived proves that
/// the I/O is in flight, and it ends when the server answers.
///
/// Nothing is left behind, whenever the process dies: the mount is detached (fsmount, never
/// attached to a path), so it lives as long as the descriptors; and only the I/O thread has the file
/// open, in a descriptor table without /dev/fuse (``IOThread``), so the last /dev/fuse descriptor
/// dies with the server, which aborts the connection and with it the held I/O.
final class HeldFile: HoldingTarget, @unchecked Sendable {  // mutable state is in `state`
  let name = "held"
  let path = IOPath.fuse
  static let blockSize = 512
  let alignment = HeldFile.blockSize
  private(set) var descriptor: CInt = -1

  private struct Held {
    var unique: UInt64
    var direction: Direction
    var offset: Int64
    var length: Int
  }

  private struct State {
    /// What is to be held when it comes.
    var armed: (direction: Direction, offset: Int64, length: Int)?
    var held: Held?
    /// The anchor's request.
    var anchored: UInt64?
    var awaitsAnchor = false
    var timeline: Timeline?
    var written: (offset: Int64, data: [UInt8])?
    var aborted = false
  }

  private let pattern: Pattern
  private let device: CInt
  private let stop: CInt
  private let stopper: CInt
  private let state = Mutex(State())
  private let arrivals = Gate()
  private let anchored = Gate()
  private var expectedArrival: UInt32 = 0
  private var server: SystemThread?
  private var anchor: SystemThread?
  private var isClosed = false
  /// The detached mount, O_PATH.
  private var mount: CInt = -1

  private static let size: Int64 = 1 << 30
  /// Beyond all places of trials.
  private static let anchorOffset = size - 4096
  private static let maximumTransfer = 1 << 17

  /// Mounts the file and starts its server.
  /// - Throws: KernelError of the step that failed, e.g. no /dev/fuse or no right to mount.
  init(pattern: Pattern) throws(KernelError) {
    self.pattern = pattern
    device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK)
    if device < 0 { throw .last("open /dev/fuse") }
    var ends: [CInt] = [-1, -1]
    if pipe(&ends) < 0 { throw .last("pipe") }
    (stop, stopper) = (ends[0], ends[1])
    // A child that lives on must not keep the server from ending.
    ck_child_closes(device)
    ck_child_closes(stopper)
    do throws(KernelError) {
      var step: UnsafePointer<CChar>?
      mount = ck_fuse_mount(device, getuid(), getgid(), &step)
      try check(mount, step.map { String(cString: $0) } ?? "mount fuse")
      ck_child_closes(mount)
      server = try SystemThread { self.serve() }
      try dropAnchor()
    } catch {
      close()
      throw error
    }
  }

  /// What to do about an error of ``init(pattern:)``.
  static func remedy(_ error: KernelError) -> String {
    let hint =
      switch error.errno {
      case .noSuchFileOrDirectory, .noSuchAddressOrDevice, Errno(rawValue: ENODEV):
        "build the kernel with CONFIG_FUSE_FS, or load the module fuse"
      case .permissionDenied, .notPermitted:
        "run as root, or allow /dev/fuse (mode 0666) and user namespaces"
      default: "the held target needs FUSE, Linux 5.2 or later"
      }
    return "no held target: \(error); \(hint)"
  }

  func close() {
    if isClosed { return }
    isClosed = true
    abort()
    if let anchored = state.withLock({ $0.anchored.take() }) { reply(anchored, error: EIO) }
    Glibc.close(stopper)  // the server's poll sees the hang-up
    server?.join()
    for descriptor in [device, stopper, mount] { ck_child_keeps(descriptor) }
    if mount >= 0 { Glibc.close(mount) }
    Glibc.close(device)  // ends the connection, and with it an anchor that never arrived
    Glibc.close(stop)
    anchor?.join()
  }

  // MARK: Target

  func place(trial: Int, length: Int, _ direction: Direction) -> (offset: Int64, content: Stamp) {
    let offset = Int64(trial) * Int64(length) % (Self.anchorOffset - Int64(length))
    let aligned = offset / Int64(alignment) * Int64(alignment)
    return (aligned, Stamp(.file, generation: 0, block: Int(aligned) / Pattern.blockSize))
  }

  func readBack(
    offset: Int64, into buffer: UnsafeMutableRawPointer, length: Int
  ) throws(KernelError) {
    content(offset: offset, length: length).withUnsafeBytes {
      buffer.copyMemory(from: $0.baseAddress!, byteCount: length)
    }
  }

  // MARK: Holding

  func openOnIOThread() throws(KernelError) {
    descriptor = try openInOwnTable()
    // Asynchronous reads end at the size that the kernel knows, and it knows none before it asks.
    var about = stat()
    if fstat(descriptor, &about) < 0 { throw .last("stat the held file") }
  }

  /// Opens the file in the calling thread's descriptor table, which must be its own, and closes there
  /// what keeps the server alive.
  private func openInOwnTable() throws(KernelError) -> CInt {
    Glibc.close(device)
    Glibc.close(stopper)
    let file = open("/proc/self/fd/\(mount)", O_RDWR | O_CLOEXEC | ck_o_direct())
    if file < 0 { throw .last("open the held file") }
    Glibc.close(mount)
    return file
  }

  // MARK: The anchor

  /// Starts a read that is answered at ``close()`` and not before, on a thread with its own table.
  ///
  /// A process that dies waits for its asynchronous I/O when its last thread drops the address space
  /// (exit_aio), and only then closes that thread's descriptors: if those were the server's, it would
  /// wait for itself. The anchor's thread can't be killed out of its read, so it is the last one to
  /// drop the address space; the others have closed /dev/fuse by then, and all I/O is aborted.
  private func dropAnchor() throws(KernelError) {
    let failure = Mutex<KernelError?>(nil)
    state.withLock { $0.awaitsAnchor = true }
    anchor = try SystemThread {
      do throws(KernelError) {
        try check(ck_unshare_files(), "unshare descriptors")
        let file = try self.openInOwnTable()
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: self.alignment, alignment: 4096)
        pread(file, buffer, self.alignment, off_t(Self.anchorOffset))
        buffer.deallocate()
        Glibc.close(file)
      } catch {
        failure.withLock { $0 = error }
        self.anchored.advance()
      }
    }
    if !anchored.wait(until: 1, timeout: Clock.seconds(10)) {
      throw KernelError("wait for the held file's first read", .timedOut)
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }

  func arm(_ transfer: Transfer, _ timeline: Timeline) {
    expectedArrival = arrivals.value &+ 1
    let armed = (transfer.direction, transfer.offset, transfer.length)
    state.withLock {
      $0.armed = armed
      $0.timeline = timeline
    }
  }

  func awaitHeld(timeout: Nanoseconds) -> Bool {
    arrivals.wait(until: expectedArrival, timeout: timeout)
  }

  func release() throws(KernelError) {
    guard let held = state.withLock({ $0.held.take() }) else { return }
    try answer(held)
  }

  func abort() {
    let held = state.withLock {
      $0.aborted = true
      return $0.held.take()
    }
    if let held { reply(held.unique, error: EIO) }
  }

  // MARK: The server

  private func serve() {
    let size = Self.maximumTransfer + Int(FUSE_MIN_READ_BUFFER)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      var waited = [
        pollfd(fd: device, events: Int16(POLLIN), revents: 0),
        pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
      ]
      if poll(&waited, 2, -1) < 0 { continue }
      if waited[1].revents != 0 { return }
      let count = read(device, buffer.baseAddress!, buffer.count)
      if count < MemoryLayout<fuse_in_header>.size {
        // ENOENT: the request was interrupted away. ENODEV: the file system is gone.
        if count < 0 && errno == ENODEV { return }
        continue
      }
      handle(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
  }

  private func handle(_ request: UnsafeRawBufferPointer) {
    let header = request.load(as: fuse_in_header.self)
    let body = UnsafeRawBufferPointer(rebasing: request[MemoryLayout<fuse_in_header>.size...])
    switch fuse_opcode(rawValue: header.opcode) {
    case FUSE_INIT: initialise(header.unique, body.load(as: fuse_init_in.self))
    case FUSE_GETATTR: reply(header.unique, attributes())
    case FUSE_OPEN:
      var out = fuse_open_out()
      out.open_flags = UInt32(FOPEN_DIRECT_IO)
      reply(header.unique, out)
    case FUSE_READ:
      let read = body.load(as: fuse_read_in.self)
      transfer(
        Held(unique: header.unique, direction: .read, offset: Int64(read.offset), length: Int(read.size)))
    case FUSE_WRITE:
      let write = body.load(as: fuse_write_in.self)
      let data = body[MemoryLayout<fuse_write_in>.size...].prefix(Int(write.size))
      state.withLock { $0.written = (Int64(write.offset), Array(data)) }
      transfer(
        Held(unique: header.unique, direction: .write, offset: Int64(write.offset), length: Int(write.size)))
    case FUSE_RELEASE: reply(header.unique, error: 0)
    case FUSE_FORGET, FUSE_BATCH_FORGET, FUSE_INTERRUPT: break  // these have no answer
    default: reply(header.unique, error: ENOSYS)
    }
  }

  /// Holds the transfer if it is the armed one, answers it otherwise.
  private func transfer(_ request: Held) {
    let isAnchor = state.withLock { state in
      // Once: others may read the last block too, such as udev that of a loop device.
      guard state.awaitsAnchor, request.offset == Self.anchorOffset else { return false }
      state.awaitsAnchor = false
      state.anchored = request.unique
      return true
    }
    if isAnchor {
      anchored.advance()
      return
    }
    let isHeld = state.withLock { state in
      // Only the trial's own: others, such as udev, read block devices too.
      guard let armed = state.armed, armed == (request.direction, request.offset, request.length),
        !state.aborted
      else { return false }
      state.armed = nil
      state.held = request
      state.timeline?.mark(.target, "\(request.direction) request arrived: pages taken, held")
      return true
    }
    if isHeld { arrivals.advance() } else { try? answer(request) }
  }

  private func answer(_ request: Held) throws(KernelError) {
    let timeline = state.withLock { $0.timeline }
    switch request.direction {
    case .read:
      let data = content(offset: request.offset, length: request.length)
      timeline?.mark(.target, "answers with \(data.count) bytes")
      let sent = data.withUnsafeBytes { reply(request.unique, bytes: $0) }
      if !sent { throw KernelError("answer FUSE_READ", .ioError) }
    case .write:
      var out = fuse_write_out()
      out.size = UInt32(request.length)
      timeline?.mark(.target, "answers that \(request.length) bytes are written")
      if !reply(request.unique, out) { throw KernelError("answer FUSE_WRITE", .ioError) }
    }
  }

  /// What the file holds: the last write there, or the pattern.
  private func content(offset: Int64, length: Int) -> [UInt8] {
    if let written = state.withLock({ $0.written }), written.offset == offset, written.data.count >= length {
      return Array(written.data[..<length])
    }
    return [UInt8](unsafeUninitializedCapacity: (length + 7) / 8 * 8) { bytes, count in
      let stamp = Stamp(.file, generation: 0, block: Int(offset) / Pattern.blockSize)
      pattern.fill(bytes.baseAddress!, 0..<bytes.count, with: stamp)
      count = length
    }
  }

  private func initialise(_ unique: UInt64, _ asked: fuse_init_in) {
    var out = fuse_init_out()
    out.major = UInt32(FUSE_KERNEL_VERSION)
    out.minor = min(asked.minor, 31)
    out.max_readahead = 0
    // Without FUSE_ASYNC_DIO io_submit would wait for the answer.
    out.flags = asked.flags & UInt32(FUSE_ASYNC_DIO | FUSE_ASYNC_READ | FUSE_MAX_PAGES)
    out.max_write = UInt32(Self.maximumTransfer)
    out.max_pages = UInt16(Self.maximumTransfer / 4096)
    out.max_background = 16
    out.congestion_threshold = 12
    out.time_gran = 1
    reply(unique, out)
  }

  private func attributes() -> fuse_attr_out {
    var out = fuse_attr_out()
    out.attr_valid = 3600
    out.attr.ino = 1
    out.attr.size = UInt64(Self.size)
    out.attr.blocks = UInt64(Self.size / 512)
    out.attr.mode = UInt32(S_IFREG | 0o600)
    out.attr.nlink = 1
    out.attr.uid = getuid()
    out.attr.gid = getgid()
    out.attr.blksize = 4096
    return out
  }

  @discardableResult
  private func reply<Body>(_ unique: UInt64, _ body: Body) -> Bool {
    withUnsafeBytes(of: body) { reply(unique, bytes: $0) }
  }

  @discardableResult
  private func reply(_ unique: UInt64, error: CInt = 0, bytes: UnsafeRawBufferPointer? = nil) -> Bool {
    let count = bytes?.count ?? 0
    var header = fuse_out_header()
    header.len = UInt32(MemoryLayout<fuse_out_header>.size + count)
    header.error = -error
    header.unique = unique
    return withUnsafeMutableBytes(of: &header) { head in
      var parts = [
        iovec(iov_base: head.baseAddress, iov_len: head.count),
        iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes?.baseAddress), iov_len: count),
      ]
      return writev(device, &parts, count == 0 ? 1 : 2) == Int(head.count + count)
    }
  }
}
