import CKernel
import Glibc
import Synchronization
import SystemPackage

extension TargetKind {
  /// A file of a FUSE server in this process.
  public static let held = TargetKind(
    "held", "a file of a FUSE server in this process, which holds the I/O", schedules: [.staged], path: .fuse,
    leavesUnread: true, c: HeldFile.c
  ) { _, pattern throws(TargetError) in
    do throws(KernelError) {
      return try HeldFile(pattern: pattern, .whole)
    } catch {
      throw .missing(HeldFile.remedy(error))
    }
  }
}

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
final class HeldFile: Target, Hold, @unchecked Sendable {  // `state` has what threads share
  let name = "held"
  let path = IOPath.fuse
  let alignment = HeldContent.blockSize
  private(set) var descriptor: CInt = -1

  private let content: HeldContent
  private let device: CInt
  private let stop: CInt
  private let stopper: CInt
  private struct State {
    /// The anchor's request.
    var anchored: UInt64?
    var awaitsAnchor = false
    /// Since the last I/O was armed.
    var written: [(offset: Int64, data: [UInt8])] = []
  }

  private let requests: HeldRequests
  private let state = Mutex(State())
  private let anchored = Gate()
  private var server: FUSEServer?
  private var serving: SystemThread?
  private var anchor: SystemThread?
  private var isClosed = false
  /// The detached mount, O_PATH.
  private var mount: CInt = -1

  /// Beyond all places of trials.
  private static let anchorOffset = HeldContent.size - 4096

  var hold: (any Hold)? { self }

  /// Mounts the file and starts its server.
  /// - Parameter arrival: when all pages of an I/O are taken, by what reads the file.
  /// - Throws: KernelError of the step that failed, e.g. no /dev/fuse or no right to mount.
  init(pattern: Pattern, _ arrival: HeldRequests.Arrival) throws(KernelError) {
    content = HeldContent(pattern: pattern)
    requests = HeldRequests(arrival)
    device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK)
    if device < 0 { throw .last("open /dev/fuse") }
    var ends: [CInt] = [-1, -1]
    if pipe(&ends) < 0 {
      let error = KernelError.last("pipe")
      Glibc.close(device)
      throw error
    }
    (stop, stopper) = (ends[0], ends[1])
    do throws(KernelError) {
      // A child that lives on must not keep the server from ending.
      for descriptor in [device, stopper] { try check(ck_child_closes(descriptor), "note for children") }
      var step: UnsafePointer<CChar>?
      mount = ck_fuse_mount(device, getuid(), getgid(), &step)
      try check(mount, step.map { "mount fuse: \(String(cString: $0))" } ?? "mount fuse")
      try check(ck_child_closes(mount), "note for children")
      ck_tell_connection(UInt32(try check(ck_fuse_connection(mount), "statx fuse")))
      let server = FUSEServer(device: device, stop: stop, size: HeldContent.size, requests: requests) {
        [unowned self] request, data in
        take(request, data)
      }
      self.server = server
      serving = try SystemThread { server.serve() }
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
    if let anchored = state.withLock({ $0.anchored.take() }) { server?.fail(anchored, EIO) }
    Glibc.close(stopper)  // the server's poll sees the hang-up
    serving?.join()
    for descriptor in [device, stopper, mount] { ck_child_keeps(descriptor) }
    if mount >= 0 { Glibc.close(mount) }
    Glibc.close(device)  // ends the connection, and with it an anchor that never arrived
    Glibc.close(stop)
    anchor?.join()
    ck_tell_connection(0)
  }

  // MARK: Target

  func place(trial: Int, length: Int, _ direction: Direction) -> (offset: Int64, content: Stamp) {
    content.place(trial: trial, length: length, below: Self.anchorOffset)
  }

  func readBack(
    offset: Int64, into buffer: UnsafeMutableRawPointer, length: Int
  ) throws(KernelError) {
    withContent(offset: offset, length: length) {
      buffer.copyMemory(from: $0.baseAddress!, byteCount: length)
    }
  }

  // MARK: Holding

  func openOnIOThread() throws(KernelError) {
    descriptor = try openInOwnTable()
    // Asynchronous reads end at the size that the kernel knows, and it knows none before it asks.
    var about = stat()
    if fstat(descriptor, &about) < 0 { throw .last("stat the held file") }
    // io_uring polls before its first write, and not again once it is told that there is no such thing. While a
    // write is left unread it would get no answer.
    var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    poll(&polled, 1, 0)
  }

  func openAgain() throws(KernelError) -> CInt { try openInOwnTable() }

  /// Closes in the calling thread's descriptor table, which must be its own, what keeps the server alive.
  func leaveServer() {
    for descriptor in [device, stopper, mount] { Glibc.close(descriptor) }
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
    state.withLock { $0.written = [] }
    requests.arm(transfer, timeline)
  }

  var hasBytes: Bool { requests.isRead }

  func arrived(timeout: Nanoseconds) -> Bool { requests.arrived(timeout: timeout) }

  func release() throws(KernelError) {
    for request in requests.release() { try answer(request) }
  }

  func abort() {
    for request in requests.abort() { server?.fail(request.id, EIO) }
  }

  // MARK: Serving

  /// Holds the transfer if it belongs to the armed one, answers it otherwise.
  private func take(_ request: HeldRequests.Request, _ written: UnsafeRawBufferPointer) {
    let isAnchor = state.withLock { state in
      if request.direction == .write { state.written.append((request.offset, Array(written))) }
      // Once: others may read the last block too, such as udev that of a loop device.
      guard state.awaitsAnchor, request.offset == Self.anchorOffset else { return false }
      state.awaitsAnchor = false
      state.anchored = request.id
      return true
    }
    if isAnchor {
      anchored.advance()
    } else if !requests.take(request) {
      try? answer(request)  // nobody waits for it but its reader, who gets the kernel's error
    }
  }

  private func answer(_ request: HeldRequests.Request) throws(KernelError) {
    requests.mark("answers \(request.direction) of \(request.length) bytes")
    var failure: KernelError?
    withContent(offset: request.offset, length: request.length) { data in
      do throws(KernelError) { try server?.answer(request, data) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// What the file holds: what was written there, or the pattern.
  private func withContent(offset: Int64, length: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
    let written = state.withLock { state in
      state.written.last { $0.offset <= offset && offset + Int64(length) <= $0.offset + Int64($0.data.count) }
    }
    guard let written else { return content.withBytes(offset: offset, length: length, body) }
    let start = Int(offset - written.offset)
    written.data.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<start + length])) }
  }

  static let c = CTarget()
}
