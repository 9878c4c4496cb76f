import Glibc

@testable import Repro

/// The client's half of ONC RPC, as small as tests need it.
final class NFSClient {
  /// What a call came back with.
  struct Reply {
    var id: UInt32
    /// accept_stat, or nil when the call was denied.
    var outcome: UInt32?
    /// What the procedure gave back.
    var result: XDRReader
  }

  private let connection: CInt
  private var records = ONCRPC.Records()

  init(port: UInt16) throws {
    connection = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result < 0 { throw KernelError.last("connect") }
  }

  deinit { close(connection) }

  func send(_ bytes: [UInt8]) { _ = Glibc.send(connection, bytes, bytes.count, CInt(MSG_NOSIGNAL)) }

  /// Sends a call with AUTH_SYS credentials of root, as the kernel makes them.
  func send(
    _ id: UInt32, _ program: UInt32, _ procedure: UInt32, version: UInt32 = 3, rpcVersion: UInt32 = 2,
    arguments: (inout XDRWriter) -> Void = { _ in }
  ) {
    var call = XDRWriter()
    for word in [0, id, 0, rpcVersion, program, version, procedure] { call.word(word) }
    var credentials = XDRWriter()
    credentials.word(0)
    credentials.opaque(Array("guest".utf8))
    for word: UInt32 in [0, 0, 0] { credentials.word(word) }
    call.word(1)
    call.opaque(credentials.bytes)
    call.word(0)
    call.word(0)
    arguments(&call)
    send(ONCRPC.finish(call))
  }

  /// The next reply; nil at the connection's end, or when none comes in time.
  func receive() throws -> Reply? {
    var buffer = [UInt8](repeating: 0, count: 8192)
    while true {
      if let record = try records.next() { return try reply(record) }
      let count = recv(connection, &buffer, buffer.count, 0)
      if count <= 0 { return nil }
      buffer.withUnsafeBytes { records.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
  }

  /// Whether a reply is there already.
  var hasReply: Bool {
    var waited = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
    return poll(&waited, 1, 100) > 0
  }

  private func reply(_ record: [UInt8]) throws -> Reply {
    var reader = XDRReader(record)
    let id = try reader.word()
    _ = try reader.word()
    if try reader.word() != 0 { return Reply(id: id, outcome: nil, result: reader) }
    _ = try reader.word()
    _ = try reader.opaque(atMost: 0)
    return Reply(id: id, outcome: try reader.word(), result: reader)
  }
}
