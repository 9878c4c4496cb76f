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

  /// As root, a name in a folder that others write to may be anything by the time it is removed.
  @Test(arguments: [0o777, 0o1777, 0o770, 0o720] as [mode_t])
  func nothingIsSweptWhereOthersCanWrite(mode: mode_t) throws {
    let parent = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { parent.remove() }
    let place = parent.appending("place")
    try FileManager.default.createDirectory(
      atPath: place + "/x-999999999-1", withIntermediateDirectories: true)
    chmod(place, mode)
    let mine = try ScratchFolder(in: place, prefix: "x")
    #expect(FileManager.default.fileExists(atPath: place + "/x-999999999-1"))
    #expect(FileManager.default.fileExists(atPath: mine.path))
    // Nor through a link to a folder that is this user's alone.
    chmod(place, 0o700)
    symlink(place, parent.appending("link"))
    ScratchFolder.sweep(parent.appending("link"), prefix: "x")
    #expect(FileManager.default.fileExists(atPath: place + "/x-999999999-1"))
    ScratchFolder.sweep(place, prefix: "x")
    #expect(!FileManager.default.fileExists(atPath: place + "/x-999999999-1"))
  }

  @Test func theTemporaryFolderIsThisUsersAlone() throws {
    var about = stat()
    #expect(lstat(ScratchFolder.temporary, &about) == 0)
    #expect(about.st_mode == S_IFDIR | 0o700 && about.st_uid == geteuid())
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    #expect(lstat(folder.path, &about) == 0 && about.st_mode == S_IFDIR | 0o700)
  }

  @Test func whatSomebodyElsePutInItsPlaceIsNotUsed() throws {
    let place = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { place.remove() }
    let own = place.appending("repro-lab-\(geteuid())")
    #expect(ScratchFolder.own(in: place.path) == own)
    #expect(ScratchFolder.own(in: place.path + "/") == own)
    chmod(own, 0o777)
    #expect(ScratchFolder.own(in: place.path) == nil)
    rmdir(own)
    symlink("/var/tmp", own)
    #expect(ScratchFolder.own(in: place.path) == nil)
    unlink(own)
    if geteuid() == 0 {
      mkdir(own, 0o700)
      chown(own, 65534, 65534)
      #expect(ScratchFolder.own(in: place.path) == nil)
    }
  }

  @Test func anUnusablePlaceIsNamed() {
    let error = #expect(throws: LabError.self) { try ScratchFolder(in: "/proc/nowhere", prefix: "x") }
    #expect(error?.problem.contains("/proc/nowhere") == true)
  }
}
