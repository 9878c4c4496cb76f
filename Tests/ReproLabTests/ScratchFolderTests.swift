import Foundation
import Glibc
import Testing

@testable import ReproLab

@Suite("Scratch folders")
struct ScratchFolderTests {
  @Test func whatDeadProcessesLeftIsSwept() throws {
    let parent = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { parent.remove() }
    for name in ["x-999999999-1", "x-1-1", "x-notes", "y-999999999-1"] {
      try FileManager.default.createDirectory(
        atPath: parent.appending(name), withIntermediateDirectories: false)
    }
    let mine = try ScratchFolder(in: parent.path, prefix: "x")
    let left = Set(try FileManager.default.contentsOfDirectory(atPath: parent.path))
    #expect(
      left == ["x-1-1", "x-notes", "y-999999999-1", String(mine.path.split(separator: "/").last ?? "")])
    mine.remove()
    mine.remove()
    #expect(!FileManager.default.fileExists(atPath: mine.path))
  }

  @Test func anUnusablePlaceIsNamed() {
    let error = #expect(throws: LabError.self) { try ScratchFolder(in: "/proc/nowhere", prefix: "x") }
    #expect(error?.problem.contains("/proc/nowhere") == true)
  }
}
