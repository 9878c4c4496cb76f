import Glibc
import Synchronization

/// The server's half of NFS version 3 (RFC 1813), with MOUNT, for an export that has a single file, which
/// can only be read. Both programs are on one TCP port of 127.0.0.1.
///
/// It runs on the thread that calls ``serve()``, which answers all calls but READ: those its owner gets,
/// and answers from whatever thread it likes.
final class NFSServer: Sendable {
  /// The file's name.
  static let fileName = "held"
  /// Bytes of the longest read.
  private static let longestRead: UInt32 = 1 << 20

  private typealias Malformed = XDRReader.Malformed

  /// What a file handle means.
  private enum Object: UInt32 { case folder = 1, file = 2 }

  /// The statuses of RFC 1813 that it gives.
  private enum Status: UInt32 {
    case fine = 0
    case noEntry = 2
    case ioError = 5
    case stale = 70
  }

  /// Connections by their numbers, which a request's id begins with. Whoever sends or closes has the lock,
  /// so that replies do not mix, and none goes to another connection's descriptor.
  private let connections = Mutex<[UInt32: CInt]>([:])
  private let listener: CInt
  private let stopped: (read: CInt, write: CInt)
  private let size: Int64
  private let take: @Sendable (HeldRequests.Request) -> Void
  /// Part of each file handle: those of another run's server on this port are stale.
  private let epoch: UInt64
  /// Where it listens.
  let port: UInt16

  /// Listens, on a port that the kernel chooses.
  /// - Parameters:
  ///   - size: of the file, in bytes.
  ///   - take: gets each read, and sees to its answer.
  init(size: Int64, take: @escaping @Sendable (HeldRequests.Request) -> Void) throws(KernelError) {
    self.size = size
    self.take = take
    epoch = UInt64(bitPattern: Clock.now) ^ UInt64(getpid()) << 40
    var ends: [CInt] = [-1, -1]
    if pipe(&ends) < 0 { throw .last("pipe") }
    stopped = (ends[0], ends[1])
    do throws(KernelError) {
      (listener, port) = try LoopbackTCP.listen()
    } catch {
      for end in ends { Glibc.close(end) }
      throw error
    }
  }

  /// What in a descriptor table keeps the server's connections alive.
  var descriptors: [CInt] {
    [listener, stopped.read, stopped.write] + connections.withLock { Array($0.values) }
  }

  // MARK: Serving

  /// Serves until told to stop.
  func serve() {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer { buffer.deallocate() }
    var records: [UInt32: ONCRPC.Records] = [:]
    var last: UInt32 = 0
    while true {
      let open = connections.withLock { Array($0) }
      var waited = ([stopped.read, listener] + open.map(\.value)).map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      if poll(&waited, nfds_t(waited.count), -1) <= 0 { continue }
      if waited[0].revents != 0 { return }
      if waited[1].revents != 0, let new = LoopbackTCP.accept(listener) {
        last += 1
        records[last] = ONCRPC.Records()
        connections.withLock { $0[last] = new }
      }
      for (place, (number, descriptor)) in open.enumerated() where waited[place + 2].revents != 0 {
        if !receive(number, descriptor, into: &records[number]!, buffer) {
          records[number] = nil
          drop(number)
        }
      }
    }
  }

  /// Handles what has come on a connection.
  /// - Returns: false when it is at its end, or talks nonsense.
  private func receive(
    _ number: UInt32, _ descriptor: CInt, into records: inout ONCRPC.Records,
    _ buffer: UnsafeMutableRawBufferPointer
  ) -> Bool {
    let count = recv(descriptor, buffer.baseAddress!, buffer.count, CInt(MSG_DONTWAIT))
    if count < 0 { return errno == EAGAIN || errno == EINTR }
    if count == 0 { return false }
    records.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    do throws(Malformed) {
      while let record = try records.next() {
        if let reply = reply(to: try ONCRPC.Call(record), number) { send(reply, to: number) }
      }
      return true
    } catch {
      return false
    }
  }

  private func drop(_ number: UInt32) {
    connections.withLock {
      if let descriptor = $0.removeValue(forKey: number) { LoopbackTCP.close(descriptor) }
    }
  }

  /// Ends ``serve()``; ``close()`` comes after its thread.
  func stop() { _ = write(stopped.write, [0], 1) }

  /// Closes all it has open. Connections end for whoever else has them in a table.
  func close() {
    for number in connections.withLock({ Array($0.keys) }) { drop(number) }
    LoopbackTCP.close(listener)
    Glibc.close(stopped.read)
    Glibc.close(stopped.write)
  }

  // MARK: Procedures

  /// The reply to a call, or nil when its answer comes later.
  private func reply(to call: ONCRPC.Call, _ connection: UInt32) -> XDRWriter? {
    if call.rpcVersion != 2 { return ONCRPC.denial(call.id) }
    let procedures: (ONCRPC.Call, UInt32) throws(Malformed) -> XDRWriter?
    switch call.program {
    case 100_003: procedures = file
    case 100_005: procedures = mount
    default: return ONCRPC.reply(call.id, .noProgram)
    }
    if call.version != 3 {
      var reply = ONCRPC.reply(call.id, .otherVersion)
      reply.word(3)
      reply.word(3)
      return reply
    }
    do throws(Malformed) {
      return try procedures(call, connection)
    } catch {
      return ONCRPC.reply(call.id, .garbage)
    }
  }

  /// MOUNT (RFC 1813, appendix I).
  private func mount(_ call: ONCRPC.Call, _: UInt32) throws(Malformed) -> XDRWriter? {
    var reply = ONCRPC.reply(call.id)
    switch call.procedure {
    case 0, 3: break  // NULL, UMNT
    case 1:
      reply.word(Status.fine.rawValue)
      reply.opaque(handle(.folder))
      reply.word(1)  // a list of one flavour of credentials: AUTH_SYS
      reply.word(1)
    default: return ONCRPC.reply(call.id, .noProcedure)
    }
    return reply
  }

  private func file(_ call: ONCRPC.Call, _ connection: UInt32) throws(Malformed) -> XDRWriter? {
    var reply = ONCRPC.reply(call.id)
    if call.procedure == 0 { return reply }
    guard [1, 3, 4, 6, 18, 19, 20].contains(call.procedure) else {
      return ONCRPC.reply(call.id, .noProcedure)
    }
    var arguments = call.arguments
    guard let object = object(try arguments.opaque(atMost: 64)) else {
      reply.word(Status.stale.rawValue)
      if call.procedure != 1 { reply.flag(false) }  // no attributes
      return reply
    }
    switch call.procedure {
    case 1:  // GETATTR
      reply.word(Status.fine.rawValue)
      attributes(of: object, &reply)
    case 3:  // LOOKUP
      let name = try arguments.opaque(atMost: 255)
      let isThere = object == .folder && name == Array(Self.fileName.utf8)
      reply.word((isThere ? Status.fine : .noEntry).rawValue)
      if isThere {
        reply.opaque(handle(.file))
        optionalAttributes(of: .file, &reply)
      }
      optionalAttributes(of: object, &reply)
    case 4:  // ACCESS
      let wanted = try arguments.word()
      begin(&reply, object)
      reply.word(wanted)
    case 6:  // READ
      let offset = Int64(clamping: try arguments.long())
      let count = Int64(min(try arguments.word(), Self.longestRead))
      take(
        HeldRequests.Request(
          id: UInt64(connection) << 32 | UInt64(call.id), direction: .read, offset: offset,
          length: Int(min(count, max(0, size - offset)))))
      return nil
    case 18:  // FSSTAT
      begin(&reply, object)
      for value in [size, 0, 0, 2, 0, 0] { reply.long(UInt64(value)) }
      reply.word(0)
    case 19:  // FSINFO
      begin(&reply, object)
      let longest = Self.longestRead
      // Most, best and multiple of a read, the same of a write, and the best of a folder's list.
      for value in [longest, longest, 512, longest, longest, 512, 4096] { reply.word(value) }
      reply.long(UInt64(size))
      for value: UInt32 in [0, 1, 0x8] { reply.word(value) }  // times to the nanosecond; one PATHCONF for all
    default:  // PATHCONF
      begin(&reply, object)
      for value: UInt32 in [1, 255, 1, 1, 0, 1] { reply.word(value) }
    }
    return reply
  }

  /// Success, and the attributes that most results begin with.
  private func begin(_ reply: inout XDRWriter, _ object: Object) {
    reply.word(Status.fine.rawValue)
    optionalAttributes(of: object, &reply)
  }

  private func optionalAttributes(of object: Object, _ reply: inout XDRWriter) {
    reply.flag(true)
    attributes(of: object, &reply)
  }

  private func attributes(of object: Object, _ reply: inout XDRWriter) {
    let isFolder = object == .folder
    for value: UInt32 in isFolder ? [2, 0o755, 2] : [1, 0o600, 1] { reply.word(value) }  // type, mode, links
    reply.word(getuid())
    reply.word(getgid())
    for _ in ["size", "used"] { reply.long(isFolder ? 4096 : UInt64(size)) }
    reply.long(0)  // no device
    reply.long(epoch)  // the file system
    reply.long(UInt64(object.rawValue))
    for _ in ["read", "written", "changed"] { reply.long(0) }
  }

  private func handle(_ object: Object) -> [UInt8] {
    var handle = XDRWriter()
    handle.long(epoch)
    handle.word(object.rawValue)
    return handle.bytes
  }

  private func object(_ handle: [UInt8]) -> Object? {
    var reader = XDRReader(handle)
    guard handle.count == 12, (try? reader.long()) == epoch, let kind = try? reader.word() else { return nil }
    return Object(rawValue: kind)
  }

  // MARK: Answers

  /// Answers a read with `data`.
  /// - Throws: KernelError when the connection does not take it.
  func answer(_ request: HeldRequests.Request, _ data: UnsafeRawBufferPointer) throws(KernelError) {
    var reply = ONCRPC.reply(UInt32(truncatingIfNeeded: request.id))
    begin(&reply, .file)
    reply.word(UInt32(data.count))
    reply.flag(request.offset + Int64(data.count) >= size)
    reply.opaque(data)
    if !send(reply, to: UInt32(request.id >> 32)) { throw .last("answer an NFS read") }
  }

  /// Ends the read `id` with an I/O error.
  func fail(_ id: UInt64) {
    var reply = ONCRPC.reply(UInt32(truncatingIfNeeded: id))
    reply.word(Status.ioError.rawValue)
    reply.flag(false)
    send(reply, to: UInt32(id >> 32))
  }

  @discardableResult
  private func send(_ reply: XDRWriter, to number: UInt32) -> Bool {
    let bytes = ONCRPC.finish(reply)
    return connections.withLock {
      guard let descriptor = $0[number] else {
        errno = ENOTCONN
        return false
      }
      return LoopbackTCP.send(bytes, to: descriptor)
    }
  }
}
