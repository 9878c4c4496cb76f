import Foundation
import Glibc
import SystemPackage
import TestHost
import Testing

@testable import Repro

@Suite("Scratch file")
struct ScratchFileTests {
  private static let pattern = Pattern(seed: 21)
  private static let length = 65536

  private func scratch(_ path: String, overwrite: Bool = false) throws(TargetError) -> ScratchFile {
    try ScratchFile(path: path, overwrite: overwrite, length: Self.length, pattern: Self.pattern)
  }

  // MARK: What works

  @Test("a folder gets an unnamed file", .enabled(if: Machine.canRace, "no direct I/O in /var/tmp"))
  func folder() throws {
    let folder = try TemporaryFolder()
    let file = try scratch(folder.path)
    #expect(folder.names == [])
    #expect(file.descriptor >= 0 && file.alignment > 0)
    file.close()
    #expect(file.descriptor == -1)
    file.close()
  }

  @Test(
    "a new file's name is gone once it is open", .enabled(if: Machine.canRace, "no direct I/O in /var/tmp"))
  func newFile() throws {
    let folder = try TemporaryFolder()
    let file = try scratch(folder("new"))
    defer { file.close() }
    #expect(folder.names == [])
    #expect(file.name == folder("new"))
  }

  @Test(
    "every place holds the pattern that it says, and writes go elsewhere",
    .enabled(if: Machine.canRace, "no direct I/O in /var/tmp"))
  func content() throws {
    let folder = try TemporaryFolder()
    let file = try scratch(folder.path)
    defer { file.close() }
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: Self.length, alignment: 4096)
    defer { buffer.deallocate() }
    var reads: Set<Int64> = []
    var writes: Set<Int64> = []
    for trial in 0..<20 {
      let (offset, content) = file.place(trial: trial, length: Self.length, .read)
      reads.insert(offset)
      #expect(offset % Int64(file.alignment) == 0)
      try file.readBack(offset: offset, into: buffer, length: Self.length)
      let want = Expectation(.io, 0..<Self.length, expected: content, previous: content)
      #expect(Verifier(Self.pattern).damage(in: buffer, [want]) == [])
      writes.insert(file.place(trial: trial, length: Self.length, .write).offset)
    }
    #expect(reads.count > 1, "successive trials see other data")
    let end = (reads.max() ?? 0) + Int64(Self.length)
    #expect(writes.allSatisfy { $0 >= end })
    #expect(throws: KernelError.self) {
      try file.readBack(offset: 1 << 40, into: buffer, length: Self.length)
    }
  }

  @Test(
    "an existing file is overwritten only when told to, and keeps its name",
    .enabled(if: Machine.canRace, "no direct I/O in /var/tmp"))
  func overwrite() throws {
    let folder = try TemporaryFolder()
    try folder.write("precious", to: "file")
    #expect(throws: TargetError.wouldOverwrite(folder("file"))) { try scratch(folder("file")) }
    #expect(try folder.read("file") == "precious")
    try scratch(folder("file"), overwrite: true).close()
    #expect(folder.names == ["file"])
  }

  // MARK: What does not

  @Test("a device that is no disk", arguments: ["/dev/null", "/dev/zero"], [true, false])
  func wrongType(path: String, overwrite: Bool) {
    #expect(throws: TargetError.wrongType(path)) { try scratch(path, overwrite: overwrite) }
  }

  @Test(
    "memory that calls itself a disk", .enabled(if: Machine.hasSharedMemory, "no /dev/shm"),
    arguments: ["", "/new"])
  func tmpfs(name: String) throws {
    let folder = try TemporaryFolder(in: "/dev/shm")
    #expect(throws: TargetError.noDirectIO(folder.path + name)) { try scratch(folder.path + name) }
    #expect(folder.names == [])
  }

  @Test("a folder that is missing, or is a file")
  func missing() throws {
    let folder = try TemporaryFolder()
    try folder.write("", to: "file")
    for (path, errno) in [("missing/new", Errno.noSuchFileOrDirectory), ("file/new", .notDirectory)] {
      #expect(throws: TargetError.unusable(folder(path), KernelError("open", errno))) {
        try scratch(folder(path))
      }
    }
    #expect(folder.names == ["file"])
  }

  @Test("a disk that is full", .enabled(if: Machine.isRoot, "needs root for a small ext4"))
  func full() throws {
    let disk = try SmallDisk()
    for path in [disk.path, disk.path + "/new"] {
      #expect(throws: TargetError.full(path, needed: 17 << 20)) {
        try ScratchFile(path: path, overwrite: false, length: 1 << 20, pattern: Self.pattern)
      }
    }
    #expect(disk.names == [])
  }

  @Test("no permission", .enabled(if: !Machine.isRoot, "root may do everything"))
  func noPermission() {
    #expect(throws: TargetError.unusable("/new", KernelError("open", .permissionDenied))) {
      try scratch("/new")
    }
  }

  @Test("a read-only place, as good as no permission", .enabled(if: access("/proc/self", F_OK) == 0))
  func pseudoFileSystem() {
    #expect(throws: TargetError.self) { try scratch("/proc/self") }
    #expect(throws: TargetError.self) { try scratch("/proc/new") }
  }

  @Test("failures keep no descriptor")
  func descriptors() throws {
    let folder = try TemporaryFolder()
    try folder.write("precious", to: "file")
    for path in ["/dev/null", "/dev/shm/repro-test-new", folder("file"), folder("missing/new")] {
      #expect(throws: TargetError.self) { try scratch(path) }
      #expect(!isOpen(path), "\(path)")
    }
  }

  /// Whether this process has a descriptor of `path`, unnamed or not.
  private func isOpen(_ path: String) -> Bool {
    let folder = "/proc/self/fd"
    let links = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return links.contains { link in
      let target = (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(link)")) ?? ""
      return path != "/dev/null" && target.hasPrefix(path)
    }
  }
}
