import Foundation
import Testing

@testable import ReproLab

@Suite("Kernel profiles and sources")
struct KernelProfileTests {
  @Test func theBuiltInListIsTheFixture() throws {
    let fixture = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../fixtures/kernels.txt").standardized
    let listed = try KernelProfiles.parse(String(contentsOf: fixture, encoding: .utf8))
    #expect(KernelProfiles.names == listed.map(\.name))
    #expect(KernelProfiles.usualNames.count == 4 && listed.count == 6)
  }

  @Test func commentsAndBlanksAreSkipped() throws {
    let profiles = try KernelProfiles.parse(
      "# all\n\n6.1\tdebian:bookworm/linux-image-amd64  # stable\nmine /k/bzImage\nold /k/old all # rare\n")
    #expect(
      profiles == [
        KernelProfile(name: "6.1", source: "debian:bookworm/linux-image-amd64"),
        KernelProfile(name: "mine", source: "/k/bzImage"),
        KernelProfile(name: "old", source: "/k/old", isUsual: false),
      ])
  }

  @Test(arguments: [
    ("6.1", "k:1: 1 fields instead of 2, or 2 and 'all'"),
    ("# x\n6.1 a b", "k:2: 3 fields instead of 2, or 2 and 'all'"),
    ("6.1 debian:bookworm/x\n6.1 debian:sid/x", "k:2: 6.1 is listed twice"),
    ("a/b debian:bookworm/x", "k:1: 'a/b' cannot be a name"),
    ("all debian:bookworm/x", "k:1: 'all' cannot be a name"),
    ("6.1 debian:bookworm", "k:1: 'debian:bookworm' names no package"),
    ("6.1 6.2", "k:1: '6.2' is no kernel"),
  ])
  func badLines(text: String, problem: String) throws {
    let error = #expect(throws: LabError.self) { try KernelProfiles.parse(text, file: "k") }
    #expect(error?.problem == problem)
    #expect(error?.remedy.isEmpty == false)
  }

  @Test(arguments: [
    ("6.1", "6.1.0-50-cloud-amd64", true), ("6.1", "6.12.117+deb12", false), ("6.1", "6.1", true),
    ("6.1", "6.1-rc3", true), ("7.2", "7.3.1", false), ("mine", "7.3.1", true),
  ])
  func aVersionIsAPromise(name: String, release: String, admitted: Bool) {
    #expect(KernelProfile(name: name, source: "x").admits(release: release) == admitted)
  }

  @Test func sources() throws {
    let profiles = [KernelProfile(name: "6.1", source: "debian:bookworm/linux-image-amd64")]
    #expect(try KernelSource(parsing: "6.1", profiles: profiles) == .profile(profiles[0]))
    #expect(
      try KernelSource(parsing: "/boot/vmlinuz", modules: "/lib/modules/6.1", profiles: profiles)
        == .image(path: "/boot/vmlinuz", modules: "/lib/modules/6.1"))
    guard case .debian(let package) = try KernelSource(parsing: "debian:sid/linux-image-amd64") else {
      Issue.record("not a package")
      return
    }
    #expect(package.suite == "sid" && package.package == "linux-image-amd64")
  }

  @Test(arguments: [
    "6.13", "debian:", "debian:a/b/c", "debian:-o/x", "debian:bookworm/--allow", "debian:../x",
  ])
  func badSources(text: String) {
    #expect(throws: LabError.self) { try KernelSource(parsing: text) }
  }

  @Test func modulesBelongToPaths() {
    #expect(throws: LabError.self) { try KernelSource(parsing: "6.1", modules: "/lib/modules/6.1") }
  }
}
