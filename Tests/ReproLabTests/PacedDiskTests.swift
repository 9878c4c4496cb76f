import CKernel
import Foundation
import Testing

@testable import ReproLab

/// A disk as QEMU asks for it: the tests are its client.
@Suite("A disk of a pace")
struct PacedDiskTests {
  private let folder: ScratchFolder
  private let disk: PacedDisk
  private static let size = 1 << 20
  private static let pace = DiskPace(depth: 1)

  init() throws {
    folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    let content = Data((0..<Self.size).map { UInt8(truncatingIfNeeded: $0 >> 9) })
    try content.write(to: URL(filePath: folder.appending("disk")))
    disk = try PacedDisk(folder.appending("disk"), size: Self.size, Self.pace)
    folder.remove()  // the file is open
  }

  @Test("tells its size, reads what is there, and writes what is read later")
  func content() throws {
    defer { disk.close() }
    let client = try Client(disk)
    #expect(client.size == UInt64(Self.size))
    try client.ask(0, cookie: 7, offset: 1024, length: 512)
    #expect(
      try client.answer(length: 512)
        == Client.Answer(error: 0, cookie: 7, data: Data(repeating: 2, count: 512)))
    try client.ask(1, cookie: 8, offset: 1024, data: Data(repeating: 0xff, count: 512))
    #expect(try client.answer() == Client.Answer(error: 0, cookie: 8))
    try client.ask(0, cookie: 9, offset: 1024, length: 1024)
    #expect(
      try client.answer(length: 1024).data == Data(repeating: 0xff, count: 512)
        + Data(repeating: 3, count: 512))
    try client.ask(3, cookie: 10, offset: 0)
    #expect(try client.answer() == Client.Answer(error: 0, cookie: 10))
  }

  @Test("refuses what is out of its range, and what it does not know")
  func refusals() throws {
    defer { disk.close() }
    let client = try Client(disk)
    try client.ask(0, cookie: 1, offset: UInt64(Self.size) - 256, length: 512)
    #expect(try client.answer() == Client.Answer(error: 22, cookie: 1))
    try client.ask(0, cookie: 2, offset: .max, length: 512)
    #expect(try client.answer() == Client.Answer(error: 22, cookie: 2))
    try client.ask(6, cookie: 3, offset: 0, length: 512)
    #expect(try client.answer() == Client.Answer(error: 22, cookie: 3))
  }

  @Test("the longer one takes longer, whatever was asked before, and the short one does not wait for it")
  func order() throws {
    defer { disk.close() }
    let client = try Client(disk)
    let begin = ck_now()
    try client.ask(0, cookie: 1, offset: 0, length: 256 << 10)
    try client.ask(0, cookie: 2, offset: 0, length: 512)
    #expect(try client.answer(length: 512).cookie == 2)
    #expect(try client.answer(length: 256 << 10).cookie == 1)
    #expect(ck_now() - begin >= Self.pace.duration(bytes: 256 << 10, isWrite: false))
  }

  @Test("its pace: more pages under one hazard cost time each and bytes less, and no write takes for ever")
  func pace() {
    disk.close()
    let (one, many) = (DiskPace(depth: 1), DiskPace(depth: 32))
    let stores: Int64 = 31 * 80_000
    #expect(
      one.duration(bytes: 4096, isWrite: false) + stores == many.duration(bytes: 32 * 4096, isWrite: false))
    #expect(one.duration(bytes: 4096, isWrite: false) < one.duration(bytes: 8192, isWrite: false))
    #expect(one.duration(bytes: 64 << 20, isWrite: true) == 40_000_000)
  }

  @Test("ends with nobody there, and after somebody who went without a word", arguments: [false, true])
  func ends(somebody: Bool) throws {
    if somebody { _ = try Client(disk) }
    disk.close()
  }
}

/// What QEMU does, as far as it matters: fixed newstyle, NBD_OPT_GO, simple replies.
private final class Client {
  struct Answer: Equatable {
    var error: UInt32
    var cookie: UInt64
    var data = Data()
  }

  private let file: FileHandle
  private(set) var size: UInt64 = 0

  init(_ disk: PacedDisk) throws {
    let name = try #require(disk.drive.firstMatch(of: /server\.path=([^,]+)/)?.1)
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0[1...].copyBytes(from: name.utf8) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.utf8.count)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
    }
    try #require(result == 0)
    file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    let hello = try read(18)
    #expect(hello.prefix(16) == Data("NBDMAGICIHAVEOPT".utf8))
    try write(3 as UInt32)
    // An option that it does not know, as QEMU asks for structured replies.
    try write(Data("IHAVEOPT".utf8), 8 as UInt32, 0 as UInt32)
    #expect(try read(20).suffix(8) == Data([0x80, 0, 0, 1, 0, 0, 0, 0]))
    try write(Data("IHAVEOPT".utf8), 7 as UInt32, 6 as UInt32, 0 as UInt32, 0 as UInt16)
    #expect(try read(20).suffix(8) == Data([0, 0, 0, 3, 0, 0, 0, 12]))
    size = try read(12).dropFirst(2).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    #expect(try read(20).suffix(8) == Data([0, 0, 0, 1, 0, 0, 0, 0]))
  }

  func ask(_ command: UInt16, cookie: UInt64, offset: UInt64, length: Int? = nil, data: Data = Data()) throws
  {
    try write(0x2560_9513 as UInt32, 0 as UInt16, command, cookie, offset, UInt32(length ?? data.count), data)
  }

  func answer(length: Int = 0) throws -> Answer {
    let head = try read(16)
    #expect(head.prefix(4) == Data([0x67, 0x44, 0x66, 0x98]))
    let error = head[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
    let cookie = head[8..<16].reduce(0) { $0 << 8 | UInt64($1) }
    return Answer(error: error, cookie: cookie, data: error == 0 ? try read(length) : Data())
  }

  private func write(_ parts: Any...) throws {
    var bytes = Data()
    for part in parts {
      if let data = part as? Data { bytes += data }
      if let number = part as? any FixedWidthInteger { append(number, to: &bytes) }
    }
    try file.write(contentsOf: bytes)
  }

  private func append(_ number: some FixedWidthInteger, to bytes: inout Data) {
    withUnsafeBytes(of: number.bigEndian) { bytes += $0 }
  }

  private func read(_ length: Int) throws -> Data {
    var bytes = Data()
    while bytes.count < length {
      let more = try #require(try file.read(upToCount: length - bytes.count))
      bytes += more
    }
    return bytes
  }
}
