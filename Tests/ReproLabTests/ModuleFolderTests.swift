import Foundation
import Testing

@testable import ReproLab

@Suite("Module folder")
struct ModuleFolderTests {
  /// A made-up folder with made-up modules: ELF files of one `.modinfo` section.
  private func folder(
    _ modules: [(file: String, depends: String)], dep: String? = nil, builtin: String = ""
  ) throws -> ScratchFolder {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    for (file, depends) in modules {
      let url = URL(fileURLWithPath: folder.appending(file))
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(FakeELF.module(info: ["license=GPL", "depends=\(depends)"])).write(to: url)
    }
    try dep?.write(toFile: folder.appending("modules.dep"), atomically: true, encoding: .utf8)
    try builtin.write(toFile: folder.appending("modules.builtin"), atomically: true, encoding: .utf8)
    return folder
  }

  private static let modules = [
    (file: "kernel/drivers/virtio/virtio.ko", depends: ""),
    (file: "kernel/drivers/virtio/virtio_ring.ko", depends: "virtio"),
    (file: "kernel/drivers/virtio/virtio_pci.ko", depends: "virtio_ring,virtio"),
    (file: "kernel/drivers/block/virtio-blk.ko", depends: "virtio,virtio-ring"),
  ]

  @Test func modulesDepGivesTheOrder() async throws {
    let dep = """
      kernel/drivers/virtio/virtio.ko:
      kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko
      kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
      kernel/drivers/block/virtio-blk.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
      """
    let folder = try folder(Self.modules, dep: dep)
    defer { folder.remove() }
    let selection = try await ModuleFolder(path: folder.path).select(["virtio_pci", "virtio_blk"])
    #expect(selection.ordered.map(\.name) == ["virtio", "virtio_ring", "virtio_pci", "virtio_blk"])
    #expect(selection.missing.isEmpty)
  }

  @Test func withoutDepmodTheModulesAreAsked() async throws {
    let folder = try folder(Self.modules)
    defer { folder.remove() }
    let selection = try await ModuleFolder(path: folder.path).select(["virtio-blk", "virtio_pci"])
    #expect(selection.ordered.map(\.name) == ["virtio", "virtio_ring", "virtio_blk", "virtio_pci"])
  }

  @Test func builtInIsNotMissing() async throws {
    let folder = try folder(
      Self.modules, builtin: "kernel/fs/fuse/fuse.ko\nkernel/drivers/virtio/virtio-rng.ko\n")
    defer { folder.remove() }
    let selection = try await ModuleFolder(path: folder.path)
      .select(["fuse", "zram", "virtio_rng", "loop", "zram", "virtio"])
    #expect(selection.ordered.map(\.name) == ["virtio"])
    #expect(selection.missing == ["zram", "loop"])
  }

  @Test(arguments: ["xz", "gz", "zst"])
  func compressedModules(ending: String) async throws {
    let tools: [String: HostTool] = ["xz": .xz, "gz": .gzip, "zst": .zstd]
    let tool = try #require(tools[ending])
    try #require(await tool.path() != nil)
    let folder = try folder(Self.modules)
    defer { folder.remove() }
    let plain = folder.appending("kernel/drivers/virtio/virtio.ko")
    let packed = try await tool.run(["-c", plain])
    try Data(packed.output).write(to: URL(fileURLWithPath: "\(plain).\(ending)"))
    try FileManager.default.removeItem(atPath: plain)
    let selection = try await ModuleFolder(path: folder.path).select(["virtio_ring"])
    #expect(selection.ordered.map(\.name) == ["virtio", "virtio_ring"])
    #expect(selection.ordered[0].object == FakeELF.module(info: ["license=GPL", "depends="]))
  }

  @Test func aBrokenModuleIsNamed() async throws {
    let folder = try folder(Self.modules)
    defer { folder.remove() }
    let file = folder.appending("kernel/drivers/virtio/virtio.ko")
    try Data("oops".utf8).write(to: URL(fileURLWithPath: file))
    let error = await #expect(throws: LabError.self) {
      try await ModuleFolder(path: folder.path).select(["virtio"])
    }
    #expect(error?.problem == "\(file): not a kernel module")
  }

  @Test func anImageFindsItsModules() throws {
    let folder = try folder([(file: "lib/modules/6.1.0-50-cloud-amd64/kernel/a.ko", depends: "")])
    defer { folder.remove() }
    try FileManager.default.createDirectory(
      atPath: folder.appending("boot"), withIntermediateDirectories: true)
    let image = folder.appending("boot/vmlinuz")
    try KernelImageTests.image().write(to: URL(fileURLWithPath: image))
    let modules = folder.appending("lib/modules/6.1.0-50-cloud-amd64")
    #expect(try Kernel(image: image).modules == modules)
    for given in [modules, modules + "/", folder.appending("lib/modules"), folder.path] {
      #expect(try Kernel(image: image, modules: given).modules == modules)
    }
    #expect(throws: LabError.self) { try Kernel(image: image, modules: "/nowhere") }
  }
}
