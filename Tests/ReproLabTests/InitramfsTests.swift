import Foundation
import Repro
import Testing

@testable import ReproLab

@Suite("Initramfs")
struct InitramfsTests {
  /// A kernel image, an executable and modules, all made up.
  private func withKernel(
    interpreter: Bool = false, _ body: (Kernel, _ executable: String) async throws -> Void
  ) async throws {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let modules = folder.appending("lib/modules/6.1.0-50-cloud-amd64")
    try FileManager.default.createDirectory(atPath: "\(modules)/kernel", withIntermediateDirectories: true)
    let files = [
      ("bzImage", KernelImageTests.image()),
      ("init", Data(FakeELF.executable(interpreter: interpreter))),
      ("lib/modules/6.1.0-50-cloud-amd64/kernel/virtio.ko", Data(FakeELF.module(info: ["depends="]))),
      (
        "lib/modules/6.1.0-50-cloud-amd64/kernel/virtio_blk.ko",
        Data(FakeELF.module(info: ["depends=virtio"]))
      ),
    ]
    for (name, data) in files { try data.write(to: URL(fileURLWithPath: folder.appending(name))) }
    try await body(Kernel(image: folder.appending("bzImage")), folder.appending("init"))
  }

  @Test func itHoldsInitPlanAndModulesInLoadOrder() async throws {
    try await withKernel { kernel, executable in
      let initramfs = try await Initramfs(
        kernel: kernel, executable: executable, plan: "do it\n",
        disks: [FileSystemDisk(disk: try #require(TargetKind.ext4.disk), devices: ["/dev/vdc"])],
        modules: ["virtio_blk", "zram"])
      #expect(initramfs.modules == ["virtio", "virtio_blk"] && initramfs.missingModules == ["zram"])
      let entries = try CPIOArchiveTests.read(initramfs.archive)
      #expect(
        entries.map(\.name) == [
          "dev", "proc", "sys", "tmp", "mnt", "modules", "dev/console", "init",
          "modules/000-virtio.ko", "modules/001-virtio_blk.ko", "plan", "disks",
        ])
      #expect(entries[7].mode == 0o100755 && entries[7].contents == FakeELF.executable(interpreter: false))
      #expect(entries[9].contents == FakeELF.module(info: ["depends=virtio"]))
      #expect(entries[10].contents == Array("do it\n".utf8))
      #expect(entries[11].contents == Array("ext4 plain ext4 /dev/vdc\n".utf8))
    }
  }

  @Test func aDynamicExecutableIsRefused() async throws {
    try await withKernel(interpreter: true) { kernel, executable in
      let error = await #expect(throws: LabError.self) {
        try await Initramfs(kernel: kernel, executable: executable, plan: "")
      }
      #expect(error?.problem == "\(executable): not a static x86-64 executable, so no guest can start it")
    }
  }

  @Test func aMissingExecutableIsNamed() async throws {
    try await withKernel { kernel, _ in
      let error = await #expect(throws: LabError.self) {
        try await Initramfs(kernel: kernel, executable: "/nowhere/oneshot", plan: "")
      }
      #expect(error?.problem == "/nowhere/oneshot: cannot be read")
    }
  }
}
