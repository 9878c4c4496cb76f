import CKernel
import Glibc

/// The server's half of the FUSE protocol (linux/fuse.h) for a file system that is a single file.
///
/// It runs on the thread that calls ``serve()``, and takes all it knows of reads and writes from
/// its owner.
final class FUSEServer: Sendable {
  /// A read, or a write with what is to be written.
  typealias Take = @Sendable (HeldRequests.Request, _ written: UnsafeRawBufferPointer) -> Void

  /// A request may hold so many pages.
  static let maximumPages = 256
  private static let maximumTransfer = maximumPages * kernelPageSize

  private let device: CInt
  private let stop: CInt
  private let size: Int64
  private let requests: HeldRequests
  private let take: Take

  /// - Parameters:
  ///   - device: /dev/fuse of a mounted file system, non-blocking.
  ///   - stop: a descriptor that becomes readable, or hangs up, when ``serve()`` is to return.
  ///   - size: of the file, in bytes.
  ///   - requests: may want a request left unread.
  ///   - take: gets each read and write, and sees to its answer.
  init(device: CInt, stop: CInt, size: Int64, requests: HeldRequests, take: @escaping Take) {
    self.device = device
    self.stop = stop
    self.size = size
    self.requests = requests
    self.take = take
  }

  /// Serves until told to stop, or the file system is gone.
  func serve() {
    let size = Self.maximumTransfer + Int(FUSE_MIN_READ_BUFFER)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      if requests.isToBeLeftUnread {
        if !awaitRequest() { return }
        requests.leaveUnread()
      }
      // A request that is there already, as most are when I/O is deep, needs no poll.
      let count = read(device, buffer.baseAddress!, buffer.count)
      if count >= MemoryLayout<fuse_in_header>.size {
        handle(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        continue
      }
      // ENOENT: the request was interrupted away. ENODEV: the file system is gone.
      if count < 0 && errno == ENODEV { return }
      if !awaitRequest() { return }
    }
  }

  /// Waits until there is something to read.
  /// - Returns: false when told to stop.
  private func awaitRequest() -> Bool {
    var waited = [
      pollfd(fd: device, events: Int16(POLLIN), revents: 0),
      pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
    ]
    return !(poll(&waited, 2, -1) > 0 && waited[1].revents != 0)
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
      let what = HeldRequests.Request(
        id: header.unique, direction: .read, offset: Int64(read.offset), length: Int(read.size))
      take(what, UnsafeRawBufferPointer(start: nil, count: 0))
    case FUSE_WRITE:
      let write = body.load(as: fuse_write_in.self)
      let what = HeldRequests.Request(
        id: header.unique, direction: .write, offset: Int64(write.offset), length: Int(write.size))
      let data = body[MemoryLayout<fuse_write_in>.size...].prefix(Int(write.size))
      take(what, UnsafeRawBufferPointer(rebasing: data))
    case FUSE_RELEASE: reply(header.unique, error: 0)
    case FUSE_FORGET, FUSE_BATCH_FORGET, FUSE_INTERRUPT: break  // these have no answer
    default: reply(header.unique, error: ENOSYS)
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
    out.max_pages = UInt16(Self.maximumPages)
    // Asynchronous requests beyond this number would wait in the kernel and not arrive.
    out.max_background = UInt16(2 * Self.maximumPages)
    out.congestion_threshold = UInt16(2 * Self.maximumPages)
    out.time_gran = 1
    reply(unique, out)
  }

  private func attributes() -> fuse_attr_out {
    var out = fuse_attr_out()
    out.attr_valid = 3600
    out.attr.ino = 1
    out.attr.size = UInt64(size)
    out.attr.blocks = UInt64(size / 512)
    out.attr.mode = UInt32(S_IFREG | 0o600)
    out.attr.nlink = 1
    out.attr.uid = getuid()
    out.attr.gid = getgid()
    out.attr.blksize = 4096
    return out
  }

  // MARK: Answers

  /// Answers a read with `data`, or a write with the number of bytes taken.
  /// - Throws: KernelError when the kernel does not take the answer.
  func answer(_ request: HeldRequests.Request, _ data: UnsafeRawBufferPointer) throws(KernelError) {
    let isTaken: Bool
    switch request.direction {
    case .read: isTaken = reply(request.id, bytes: data)
    case .write:
      var out = fuse_write_out()
      out.size = UInt32(request.length)
      isTaken = reply(request.id, out)
    }
    if !isTaken { throw .last("answer a FUSE \(request.direction)") }
  }

  /// Ends the request `id` with an errno.
  func fail(_ id: UInt64, _ error: CInt) { reply(id, error: error) }

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
