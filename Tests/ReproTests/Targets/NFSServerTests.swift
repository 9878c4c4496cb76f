import Glibc
import Synchronization
import Testing

@testable import Repro

@Suite("XDR and RPC records")
struct XDRTests {
  @Test("values are read as they are written, in multiples of four bytes")
  func values() throws {
    var writer = XDRWriter()
    writer.word(0x0102_0304)
    writer.long(0x1122_3344_5566_7788)
    writer.flag(true)
    writer.opaque([9, 8, 7, 6, 5])
    #expect(
      writer.bytes == [
        1, 2, 3, 4, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0, 0, 0, 1, 0, 0, 0, 5, 9, 8, 7, 6, 5, 0,
        0, 0,
      ])
    var reader = XDRReader(writer.bytes)
    #expect(try reader.word() == 0x0102_0304)
    #expect(try reader.long() == 0x1122_3344_5566_7788)
    #expect(try reader.word() == 1)
    #expect(try reader.opaque(atMost: 5) == [9, 8, 7, 6, 5])
    #expect(throws: XDRReader.Malformed.self) { try reader.word() }
  }

  @Test(
    "what is cut off or too long is malformed",
    arguments: [
      [0, 0, 0], [0, 0, 0, 5, 1, 2, 3, 4, 5], [0, 0, 0, 9, 0], [255, 255, 255, 255, 0, 0, 0, 0],
    ])
  func malformed(bytes: [UInt8]) {
    var reader = XDRReader(bytes)
    #expect(throws: XDRReader.Malformed.self) { try reader.opaque(atMost: 8) }
  }

  /// A MOUNT call of NULL as it goes over the wire, in two fragments and byte by byte.
  @Test("a record comes whole, however it is cut")
  func records() throws {
    let head: [UInt8] = [
      0x5f, 0x10, 0x20, 0x30, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0x86, 0xa5, 0, 0, 0, 3, 0, 0, 0, 0,
    ]
    let call = head + [UInt8](repeating: 0, count: 16)  // no credentials, no verifier
    let wire: [UInt8] = [0, 0, 0, 8] + call[..<8] + [0x80, 0, 0, 32] + call[8...]
    var records = ONCRPC.Records()
    for _ in 0..<2 {
      for byte in wire.dropLast() {
        [byte].withUnsafeBytes { records.append($0) }
        #expect(try records.next() == nil)
      }
      [wire.last!].withUnsafeBytes { records.append($0) }
      let record = try records.next()
      #expect(record == call)
      let parsed = try ONCRPC.Call(try #require(record))
      #expect(parsed.id == 0x5f10_2030 && parsed.program == 100_005)
      #expect(parsed.version == 3 && parsed.procedure == 0 && parsed.rpcVersion == 2)
      #expect(try records.next() == nil)
    }
    [UInt8]([0x7f, 0, 0, 0]).withUnsafeBytes { records.append($0) }
    #expect(throws: XDRReader.Malformed.self) { try records.next() }
  }
}

@Suite("NFS server")
final class NFSServerTests {
  private static let size: Int64 = 1 << 30
  private static let mount: UInt32 = 100_005
  private static let nfs: UInt32 = 100_003
  private let taken: Taken
  private let server: NFSServer
  private let thread: SystemThread
  private let client: NFSClient

  /// Reads that the server has handed over.
  private final class Taken: Sendable {
    let requests = Mutex<[HeldRequests.Request]>([])
    let gate = Gate()
  }

  init() throws {
    let taken = Taken()
    self.taken = taken
    let server = try NFSServer(size: Self.size) { request in
      taken.requests.withLock { $0.append(request) }
      taken.gate.advance()
    }
    self.server = server
    thread = try SystemThread { server.serve() }
    client = try NFSClient(port: server.port)
  }

  deinit {
    server.stop()
    thread.join()
    server.close()
  }

  private func call(
    _ program: UInt32, _ procedure: UInt32, version: UInt32 = 3, rpcVersion: UInt32 = 2,
    arguments: (inout XDRWriter) -> Void = { _ in }
  ) throws -> NFSClient.Reply {
    client.send(77, program, procedure, version: version, rpcVersion: rpcVersion, arguments: arguments)
    let reply = try #require(try client.receive())
    #expect(reply.id == 77)
    return reply
  }

  /// The handle that MOUNT gives.
  private func root() throws -> [UInt8] {
    var result = try call(Self.mount, 1) { $0.opaque(Array("/".utf8)) }.result
    #expect(try result.word() == 0)
    let handle = try result.opaque(atMost: 64)
    #expect(try result.word() == 1 && result.word() == 1, "one flavour: AUTH_SYS")
    return handle
  }

  private func file() throws -> [UInt8] {
    let root = try root()
    var result = try call(Self.nfs, 3) {
      $0.opaque(root)
      $0.opaque(Array("held".utf8))
    }.result
    #expect(try result.word() == 0)
    return try result.opaque(atMost: 64)
  }

  private func sendRead(_ handle: [UInt8], id: UInt32, offset: Int64, count: UInt32) {
    client.send(id, Self.nfs, 6) {
      $0.opaque(handle)
      $0.long(UInt64(offset))
      $0.word(count)
    }
  }

  /// The reads once there are `count` of them.
  private func taken(_ count: UInt32) throws -> [HeldRequests.Request] {
    try #require(taken.gate.wait(until: count, timeout: Clock.seconds(5)))
    return taken.requests.withLock { $0 }
  }

  @Test("NULL of both programs, and UMNT, give nothing back")
  func null() throws {
    for (program, procedure) in [(Self.mount, 0), (Self.nfs, 0), (Self.mount, 3)] as [(UInt32, UInt32)] {
      var reply = try call(program, procedure)
      #expect(reply.outcome == 0)
      #expect(throws: XDRReader.Malformed.self) { try reply.result.word() }
    }
  }

  @Test("other programs, versions and procedures are refused, as RFC 5531 has it")
  func refused() throws {
    #expect(try call(400_122, 0).outcome == 1)
    var version = try call(Self.nfs, 0, version: 4)
    #expect(version.outcome == 2)
    #expect(try version.result.word() == 3 && version.result.word() == 3)
    #expect(try call(Self.nfs, 7).outcome == 3, "WRITE")
    #expect(try call(Self.mount, 2).outcome == 3)
    #expect(try call(Self.nfs, 1).outcome == 4, "no handle")
    #expect(try call(Self.nfs, 0, rpcVersion: 1).outcome == nil)
  }

  @Test("GETATTR tells the folder and the file")
  func attributes() throws {
    for (handle, type, size) in [(try root(), 2, 4096), (try file(), 1, UInt64(Self.size))] {
      var result = try call(Self.nfs, 1) { $0.opaque(handle) }.result
      #expect(try result.word() == 0)
      #expect(try result.word() == type)
      for _ in ["mode", "links", "owner", "group"] { _ = try result.word() }
      #expect(try result.long() == size)
      for _ in 0..<7 { _ = try result.long() }  // used, device, file system, number, three times
      #expect(throws: XDRReader.Malformed.self) { try result.word() }
    }
  }

  @Test("LOOKUP finds one name, and a handle of another run is stale")
  func names() throws {
    let root = try root()
    var missing = try call(Self.nfs, 3) {
      $0.opaque(root)
      $0.opaque(Array("hell".utf8))
    }.result
    #expect(try missing.word() == 2)
    var stale = try call(Self.nfs, 1) { $0.opaque([UInt8](repeating: 1, count: 12)) }.result
    #expect(try stale.word() == 70)
  }

  @Test("a read is held until it is answered, and others go by")
  func held() throws {
    let file = try file()
    sendRead(file, id: 5, offset: 1024, count: 6)
    let request = try #require(try taken(1).first)
    #expect(request.direction == .read && request.offset == 1024 && request.length == 6)
    #expect(!client.hasReply)
    #expect(try call(Self.nfs, 0).outcome == 0)

    try [UInt8]([1, 2, 3, 4, 5, 6]).withUnsafeBytes { try server.answer(request, $0) }
    let reply = try #require(try client.receive())
    #expect(reply.id == 5 && reply.outcome == 0)
    var result = reply.result
    #expect(try result.word() == 0 && result.word() == 1)
    for _ in 0..<21 { _ = try result.word() }  // attributes
    #expect(try result.word() == 6 && result.word() == 0)
    #expect(try result.opaque(atMost: 6) == [1, 2, 3, 4, 5, 6])
  }

  @Test("a read that is given up fails, one at the end is cut, each under its own number")
  func failed() throws {
    let file = try file()
    sendRead(file, id: 8, offset: 0, count: 512)
    sendRead(file, id: 9, offset: Self.size - 512, count: 1024)
    sendRead(file, id: 10, offset: .max, count: 1024)
    let requests = try taken(3)
    #expect(requests.map(\.length) == [512, 512, 0])
    for (request, id) in zip(requests, [8, 9, 10] as [UInt32]) {
      server.fail(request.id)
      var reply = try #require(try client.receive())
      #expect(reply.id == id)
      #expect(try reply.result.word() == 5)
    }
  }

  @Test("a client that talks nonsense is cut off, and the others are not")
  func nonsense() throws {
    let other = try NFSClient(port: server.port)
    other.send([0x80, 0, 0, 4, 1, 2, 3, 4])
    #expect(try other.receive() == nil)
    #expect(try call(Self.nfs, 0).outcome == 0)
  }

  @Test("an answer to a client that has gone is an error")
  func gone() throws {
    let file = try file()
    var other: NFSClient? = try NFSClient(port: server.port)
    other?.send(1, Self.nfs, 6) {
      $0.opaque(file)
      $0.long(0)
      $0.word(512)
    }
    let request = try #require(try taken(1).first)
    other = nil
    var answers = 0
    // The server hears of the end when it does.
    while answers < 500, (try? server.answer(request, UnsafeRawBufferPointer(start: nil, count: 0))) != nil {
      answers += 1
      usleep(10_000)
    }
    #expect(answers < 500)
  }
}
