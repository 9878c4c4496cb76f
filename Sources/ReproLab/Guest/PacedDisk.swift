import CKernel
import Glibc
import Repro
import SystemPackage

/// How long the I/O of a disk lasts: as long whatever was asked of the disk before, and the longer the more bytes it
/// moves, so that a race chooses by the length of its I/O how long that is in flight.
///
/// QEMU's own throttle can't say that: it makes an I/O wait for what the one before has left of length/rate, so that a
/// read lasts the shorter the longer the trial before it took.
struct DiskPace: Sendable, CustomStringConvertible {
  /// What each I/O lasts, nanoseconds: about as long as an emulated fork takes, and the stores that follow it, one to
  /// each page. An I/O that has more pages to last longer has more to be filled and looked at.
  private var least: Nanoseconds { 800_000 + 80_000 * Nanoseconds(depth - 1) }
  /// And a page of it, for each page under one hazard.
  private let page: Nanoseconds = 750_000
  private let depth: Int
  /// A target's content is written before anything is read.
  private let longestWrite: Nanoseconds = 40_000_000

  /// - Parameter depth: pages under one hazard.
  init(depth: Int) { self.depth = max(1, depth) }

  /// Nanoseconds for a read or write of so many bytes.
  func duration(bytes: Int, isWrite: Bool) -> Nanoseconds {
    let whole = least + page * Nanoseconds(bytes) / Nanoseconds(4096 * depth)
    return isWrite ? min(whole, longestWrite) : whole
  }

  var description: String {
    "\(Double(least) / 1e6) ms an I/O and \(Double(page) / 1e6) ms for each \(4 * depth) KiB of it"
  }
}

/// A guest's disk whose I/O lasts what its pace says. QEMU has it over NBD (the NBD protocol's doc/proto.md, fixed
/// newstyle with simple replies) from a thread of ours, by a socket without a file, which ends with this process.
final class PacedDisk: Sendable {
  private let name: String
  private let listener: CInt
  private let content: CInt
  private let thread: SystemThread

  /// - Parameters:
  ///   - path: of the file that holds the content; it may be removed at once.
  ///   - size: bytes.
  /// - Throws: LabError.
  init(_ path: String, size: Int, _ pace: DiskPace) throws {
    let name = "repro-disk-\(getpid())-\(String(UInt64.random(in: 0 ... .max), radix: 16))"
    let content = open(path, O_RDWR | O_CLOEXEC)
    let listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    do {
      guard content >= 0, listener >= 0, Self.bind(listener, to: name), Glibc.listen(listener, 1) == 0
      else { throw Errno(rawValue: errno) }
      thread = try SystemThread { Self.serve(listener, content, size, pace) }
    } catch {
      for descriptor in [content, listener] where descriptor >= 0 { Glibc.close(descriptor) }
      throw LabError("cannot serve the guest's disk \(path): \(error)", remedy: "make room there")
    }
    (self.name, self.listener, self.content) = (name, listener, content)
  }

  /// What QEMU's `-drive` is to say of where the disk is.
  var drive: String {
    "driver=raw,file.driver=nbd,file.server.type=unix,file.server.path=\(name),file.server.abstract=on"
  }

  /// Ends the thread; QEMU must be gone.
  func close() {
    shutdown(listener, CInt(SHUT_RDWR))  // which ends accept(2), too
    thread.join()
    for descriptor in [content, listener] { Glibc.close(descriptor) }
  }

  /// In the abstract name space of unix(7).
  private static func bind(_ socket: CInt, to name: String) -> Bool {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0[1...].copyBytes(from: name.utf8) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.utf8.count)
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.bind(socket, $0, length) == 0 }
    }
  }

  private static func serve(_ listener: CInt, _ content: CInt, _ size: Int, _ pace: DiskPace) {
    while true {
      let connection = accept(listener, nil, nil)
      if connection < 0, errno == EINTR { continue }
      if connection < 0 { return }
      defer { Glibc.close(connection) }
      _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
      // The name is no secret: whoever is somebody else gets no answer.
      if ck_peer_user(connection) != Int(geteuid()) { continue }
      var session = NBDSession(connection, content, size, pace)
      if session.greet() { session.serve() }
    }
  }
}

/// One client of a disk.
private struct NBDSession {
  private struct Request {
    var isWrite: Bool
    var cookie: UInt64
    var offset: Int
    var length: Int
    var data: [UInt8]
    var due: Nanoseconds
  }

  private let socket: CInt
  private let content: CInt
  private let size: Int
  private let pace: DiskPace
  /// In the order of their ends.
  private var pending: [Request] = []

  init(_ socket: CInt, _ content: CInt, _ size: Int, _ pace: DiskPace) {
    (self.socket, self.content, self.size, self.pace) = (socket, content, size, pace)
  }

  // MARK: Handshake

  private enum Option { static let export: UInt32 = 1, abort: UInt32 = 2, info: UInt32 = 6, go: UInt32 = 7 }
  private enum Answer {
    static let acknowledged: UInt32 = 1, info: UInt32 = 3, unsupported: UInt32 = 1 << 31 | 1
  }
  private static let optionMagic: UInt64 = 0x4948_4156_454F_5054  // IHAVEOPT
  /// NBD_FLAG_HAS_FLAGS and NBD_FLAG_SEND_FLUSH.
  private static let flags: UInt16 = 1 | 1 << 2

  /// - Returns: whether the client wants the disk.
  func greet() -> Bool {
    var hello = Message()
    hello.add(0x4e42_444d_4147_4943 as UInt64)  // NBDMAGIC
    hello.add(Self.optionMagic)
    hello.add(3 as UInt16)  // NBD_FLAG_FIXED_NEWSTYLE, NBD_FLAG_NO_ZEROES
    guard send(hello.bytes), receive(4) != nil else { return false }
    while var option = receive(16).map(Message.init(bytes:)) {
      guard option.take(UInt64.self) == Self.optionMagic else { return false }
      let kind = option.take(UInt32.self)
      let length = Int(option.take(UInt32.self))
      guard length <= 1 << 16, receive(length) != nil else { return false }
      switch kind {
      case Option.export: return send(export)
      case Option.info, Option.go:
        let information: [UInt8] = [0, 0]  // NBD_INFO_EXPORT
        guard answer(kind, Answer.info, information + export), answer(kind, Answer.acknowledged) else {
          return false
        }
        if kind == Option.go { return true }
      case Option.abort:
        _ = answer(kind, Answer.acknowledged)
        return false
      default:
        guard answer(kind, Answer.unsupported) else { return false }
      }
    }
    return false
  }

  /// Size and flags.
  private var export: [UInt8] {
    var message = Message()
    message.add(UInt64(size))
    message.add(Self.flags)
    return message.bytes
  }

  private func answer(_ option: UInt32, _ kind: UInt32, _ data: [UInt8] = []) -> Bool {
    var message = Message()
    message.add(0x3_e889_0455_65a9 as UInt64)
    message.add(option)
    message.add(kind)
    message.add(UInt32(data.count))
    return send(message.bytes + data)
  }

  // MARK: Transmission

  private enum Command {
    static let read: UInt16 = 0, write: UInt16 = 1, disconnect: UInt16 = 2, flush: UInt16 = 3
  }

  mutating func serve() {
    while true {
      let ready = ck_await_readable(socket, pending.first.map { max(0, $0.due - ck_now()) } ?? -1)
      if ready < 0 { return }
      if ready > 0, !take() { return }
      while let next = pending.first, next.due <= ck_now() {
        pending.removeFirst()
        if !finish(next) { return }
      }
    }
  }

  private mutating func take() -> Bool {
    guard var header = receive(28).map(Message.init(bytes:)), header.take(UInt32.self) == 0x2560_9513 else {
      return false
    }
    _ = header.take(UInt16.self)  // flags
    let command = header.take(UInt16.self)
    let cookie = header.take(UInt64.self)
    let offset = Int(truncatingIfNeeded: header.take(UInt64.self))
    let length = Int(header.take(UInt32.self))
    let isWrite = command == Command.write
    guard command != Command.disconnect, length <= 64 << 20, let data = receive(isWrite ? length : 0) else {
      return false
    }
    switch command {
    case Command.flush: return reply(cookie)
    case Command.read, Command.write:
      guard offset >= 0, offset <= size - length else { return reply(cookie, error: EINVAL) }
      let due = ck_now() + pace.duration(bytes: length, isWrite: isWrite)
      let place = pending.lastIndex { $0.due <= due }.map { $0 + 1 } ?? 0
      pending.insert(
        Request(isWrite: isWrite, cookie: cookie, offset: offset, length: length, data: data, due: due),
        at: place)
      return true
    default: return reply(cookie, error: EINVAL)
    }
  }

  private func finish(_ request: Request) -> Bool {
    if request.isWrite {
      let done = pwrite(content, request.data, request.length, request.offset)
      return reply(request.cookie, error: done == request.length ? 0 : EIO)
    }
    var done = 0
    let data = [UInt8](unsafeUninitializedCapacity: request.length) { buffer, count in
      done = pread(content, buffer.baseAddress, request.length, request.offset)
      count = max(0, done)
    }
    return done == request.length ? reply(request.cookie, data) : reply(request.cookie, error: EIO)
  }

  private func reply(_ cookie: UInt64, _ data: [UInt8] = [], error: CInt = 0) -> Bool {
    var message = Message()
    message.add(0x6744_6698 as UInt32)
    message.add(UInt32(error))
    message.add(cookie)
    return send(message.bytes + data)
  }

  // MARK: Bytes

  /// Numbers in network order.
  private struct Message {
    var bytes: [UInt8] = []
    private var taken = 0

    init(bytes: [UInt8] = []) { self.bytes = bytes }

    mutating func add(_ number: some FixedWidthInteger) {
      withUnsafeBytes(of: number.bigEndian) { bytes += $0 }
    }

    mutating func take<Number: FixedWidthInteger>(_ type: Number.Type) -> Number {
      let size = MemoryLayout<Number>.size
      defer { taken += size }
      return bytes[taken..<taken + size].reduce(0) { $0 << 8 | Number($1) }
    }
  }

  private func send(_ bytes: [UInt8]) -> Bool { LoopbackTCP.send(bytes, to: socket) }

  /// So many bytes; nil when the client is gone.
  private func receive(_ length: Int) -> [UInt8]? {
    var got = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
      while got < length {
        let more = recv(socket, buffer.baseAddress! + got, length - got, CInt(MSG_WAITALL))
        if more == 0 || more < 0 && errno != EINTR { break }
        got += max(0, more)
      }
      count = got
    }
    return got == length ? bytes : nil
  }
}
