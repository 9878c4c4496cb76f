import Foundation
import Testing

@testable import ReproLab

@Suite("Prepared archives")
struct PreparedArchivesTests {
  private let folder: ScratchFolder
  private let kernel: Kernel
  private let archives: PreparedArchives
  private let module: String

  init() throws {
    folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    let modules = folder.appending("lib/modules/6.1.0-50-cloud-amd64/kernel")
    try FileManager.default.createDirectory(atPath: modules, withIntermediateDirectories: true)
    module = modules + "/fuse.ko"
    try Data(FakeELF.module(info: ["depends="])).write(to: URL(filePath: module))
    try KernelImageTests.image().write(to: URL(filePath: folder.appending("bzImage")))
    try Data(FakeELF.executable(interpreter: false)).write(to: URL(filePath: folder.appending("init")))
    kernel = try Kernel(image: folder.appending("bzImage"))
    archives = PreparedArchives(folder: folder.appending("prepared"))
  }

  private func initramfs(
    _ plan: String, modules: [String] = ["fuse"], prepared: Bool = true
  ) async throws -> Initramfs {
    try await Initramfs(
      kernel: kernel, executable: folder.appending("init"), plan: plan, disks: [], modules: modules,
      prepared: prepared ? archives : nil)
  }

  private var kept: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: archives.folder)) ?? []
  }

  @Test func aSecondPlanFindsWhatTheFirstPrepared() async throws {
    defer { folder.remove() }
    let first = try await initramfs("one")
    #expect(kept.count == 1)
    let second = try await initramfs("two")
    #expect(kept.count == 1 && second.modules == ["fuse"] && first.modules == ["fuse"])
    #expect(second.archive == (try await initramfs("two", prepared: false).archive))
    #expect(first.archive != second.archive)
  }

  @Test func aModuleThatWasBuiltAgainIsTakenAgain() async throws {
    defer { folder.remove() }
    _ = try await initramfs("")
    let rebuilt = FakeELF.module(info: ["depends=", "alias=rebuilt"])
    try Data(rebuilt).write(to: URL(filePath: module))
    let entries = try CPIOArchiveTests.read(try await initramfs("").archive)
    #expect(entries.contains { $0.contents == rebuilt })
    #expect(kept.count == 1)
  }

  @Test func anotherExecutableOrListIsAnotherEntry() async throws {
    defer { folder.remove() }
    _ = try await initramfs("")
    _ = try await initramfs("", modules: [])
    #expect(kept.count == 2)
    var executable = FakeELF.executable(interpreter: false)
    executable.append(0)
    try Data(executable).write(to: URL(filePath: folder.appending("init")))
    let entries = try CPIOArchiveTests.read(try await initramfs("").archive)
    #expect(kept.count == 3 && entries.contains { $0.name == "init" && $0.contents == executable })
  }

  @Test func aMissingModuleIsLookedForAgain() async throws {
    defer { folder.remove() }
    #expect(try await initramfs("", modules: ["loop"]).missingModules == ["loop"])
    #expect(kept.isEmpty)
    try FileManager.default.copyItem(
      atPath: module, toPath: module.replacingOccurrences(of: "fuse", with: "loop"))
    #expect(try await initramfs("", modules: ["loop"]).modules == ["loop"])
  }

  @Test func aSpoiledEntryIsNone() async throws {
    defer { folder.remove() }
    let good = try await initramfs("").archive
    for spoiled in [Data(), Data("nonsense".utf8), Data("fuse /nowhere\t1\t1\n\0".utf8)] {
      let path = try #require(kept.first.map { archives.folder + "/" + $0 })
      try spoiled.write(to: URL(filePath: path))
      #expect(try await initramfs("").archive == good)
    }
  }

  @Test func theOldestGo() async throws {
    defer { folder.remove() }
    for number in 0..<30 { _ = try await initramfs("", modules: Array(repeating: "fuse", count: number)) }
    #expect(kept.count == 24)
  }
}
