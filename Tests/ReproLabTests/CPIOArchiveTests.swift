import Foundation
import Testing

@testable import ReproLab

@Suite("cpio archive")
struct CPIOArchiveTests {
  /// One entry, read back field by field as the kernel does.
  struct Entry: Equatable {
    var name: String
    var mode: Int
    var contents: [UInt8]
    var device: [Int]
  }

  static func read(_ bytes: [UInt8]) throws -> [Entry] {
    var entries: [Entry] = []
    var offset = 0
    while offset < bytes.count {
      try #require(offset % 4 == 0 && bytes.count >= offset + 110)
      try #require(String(decoding: bytes[offset..<offset + 6], as: UTF8.self) == "070701")
      let header = offset + 6
      func field(_ index: Int) throws -> Int {
        let digits = bytes[(header + index * 8)..<(header + index * 8 + 8)]
        return try #require(Int(String(decoding: digits, as: UTF8.self), radix: 16))
      }
      let nameSize = try field(11)
      let size = try field(6)
      let name = String(decoding: bytes[offset + 110..<offset + 109 + nameSize], as: UTF8.self)
      #expect(bytes[offset + 109 + nameSize] == 0)
      offset = (offset + 110 + nameSize + 3) / 4 * 4
      if name == "TRAILER!!!" { return entries }
      let contents = Array(bytes[offset..<offset + size])
      entries.append(
        Entry(name: name, mode: try field(1), contents: contents, device: [try field(9), try field(10)]))
      offset = (offset + size + 3) / 4 * 4
    }
    Issue.record("no trailer")
    return entries
  }

  private static func sample() -> [UInt8] {
    var archive = CPIOArchive()
    archive.add("dev", .folder, permissions: 0o755)
    archive.add("dev/console", .character(major: 5, minor: 1), permissions: 0o600)
    archive.add("init", .file(Array("12345".utf8)), permissions: 0o755)
    archive.add("empty", .file([]), permissions: 0o644)
    return archive.finished()
  }

  @Test func entriesReadBack() throws {
    #expect(
      try Self.read(Self.sample()) == [
        Entry(name: "dev", mode: 0o040755, contents: [], device: [0, 0]),
        Entry(name: "dev/console", mode: 0o020600, contents: [], device: [5, 1]),
        Entry(name: "init", mode: 0o100755, contents: Array("12345".utf8), device: [0, 0]),
        Entry(name: "empty", mode: 0o100644, contents: [], device: [0, 0]),
      ])
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/cpio")))
  func cpioUnderstandsIt() async throws {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let path = folder.appending("archive")
    try Data(Self.sample()).write(to: URL(fileURLWithPath: path))
    let outcome = try await HostTool(name: "cpio", package: "cpio")
      .run(["--list", "--verbose", "--quiet", "--file", path])
    #expect(outcome.succeeded && outcome.errors.isEmpty)
    let lines = outcome.text.split(separator: "\n")
    #expect(lines.count == 4)
    #expect(lines[1].hasPrefix("crw-------") && lines[1].contains("5,   1"))
    #expect(lines[2].hasPrefix("-rwxr-xr-x") && lines[2].hasSuffix(" init"))
  }
}
