import Foundation
import Testing

@testable import ReproLab

/// Kernels in package files; the packages are made here.
@Suite("Kernels in packages")
struct PackagedKernelTests {
  private static let hasRPM =
    ["rpmbuild", "bsdtar"].allSatisfy { FileManager.default.isExecutableFile(atPath: "/usr/bin/\($0)") }
  private static let release = "6.1.0-50-cloud-amd64"

  private func inFolder(_ body: (ScratchFolder) async throws -> Void) async throws {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    try await body(folder)
  }

  /// The files of a kernel below a root: the image, or a module.
  private func write(_ root: String, image: String? = nil, module: Bool = false) throws {
    func put(_ data: Data, _ path: String) throws {
      let file = URL(filePath: "\(root)/\(path)")
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try data.write(to: file)
    }
    if let image { try put(KernelImageTests.image(), image) }
    if module {
      try put(Data(FakeELF.module(info: ["depends="])), "usr/lib/modules/\(Self.release)/kernel/fuse.ko")
    }
  }

  private func makeDeb(
    _ name: String, in folder: ScratchFolder, image: String? = nil, module: Bool = false
  ) async throws -> String {
    let root = folder.appending("root-\(name)")
    try write(root, image: image, module: module)
    try FileManager.default.createDirectory(atPath: "\(root)/DEBIAN", withIntermediateDirectories: true)
    try "Package: \(name)\nVersion: 1\nArchitecture: amd64\nMaintainer: A <a@b.c>\nDescription: k\n"
      .write(toFile: "\(root)/DEBIAN/control", atomically: true, encoding: .utf8)
    try FileManager.default.createDirectory(
      atPath: folder.appending("packages"), withIntermediateDirectories: true)
    let path = folder.appending("packages/\(name).deb")
    let outcome = try await HostTool(name: "dpkg-deb", package: "dpkg").run(
      ["--root-owner-group", "-Zgzip", "-b", root, path])
    try #require(outcome.succeeded, "\(outcome.errors)")
    return path
  }

  private func resolve(_ text: String, _ folder: ScratchFolder) async throws -> Kernel {
    try await KernelSource(parsing: text).resolve(cache: folder.appending("cache"))
  }

  @Test("a .deb with an image is a kernel, and is unpacked once")
  func deb() async throws {
    try await inFolder { folder in
      let path = try await makeDeb("image", in: folder, image: "boot/vmlinuz-\(Self.release)")
      let kernel = try await resolve(path, folder)
      #expect(kernel.release == Self.release && kernel.name == path && kernel.modules == nil)
      let again = try await resolve(path, folder)
      #expect(again == kernel)
      let cached = try FileManager.default.contentsOfDirectory(atPath: folder.appending("cache/packages"))
      #expect(cached.count == 1)
    }
  }

  @Test("a folder of packages is one kernel with its modules")
  func folder() async throws {
    try await inFolder { folder in
      _ = try await makeDeb("image", in: folder, image: "usr/lib/modules/\(Self.release)/vmlinuz")
      _ = try await makeDeb("modules", in: folder, module: true)
      let kernel = try await resolve(folder.appending("packages"), folder)
      #expect(kernel.modules?.hasSuffix("usr/lib/modules/\(Self.release)") == true)
    }
  }

  @Test("an .rpm is unpacked as well", .enabled(if: hasRPM))
  func rpm() async throws {
    try await inFolder { folder in
      let root = folder.appending("root")
      try write(root, image: "lib/modules/\(Self.release)/vmlinuz")
      let spec = """
        Name: kernel-core
        Version: 1
        Release: 1
        Summary: k
        License: GPL
        %description
        k
        %install
        cp -a \(root)/. %{buildroot}/
        %files
        /lib/modules/\(Self.release)/vmlinuz

        """
      try spec.write(toFile: folder.appending("k.spec"), atomically: true, encoding: .utf8)
      let outcome = try await HostTool(name: "rpmbuild", package: "rpm").run(
        ["-bb", "--target", "x86_64", "--define", "_topdir \(folder.appending("rpm"))"]
          + ["--define", "_rpmdir \(folder.path)", "--define", "_build_name_fmt k.rpm"]
          + ["--define", "__os_install_post %{nil}", folder.appending("k.spec")])
      try #require(outcome.succeeded, "\(outcome.errors)")
      #expect(try await resolve(folder.appending("k.rpm"), folder).release == Self.release)
    }
  }

  @Test("what holds no kernel, or is not there, is named in one line")
  func none() async throws {
    try await inFolder { folder in
      let path = try await makeDeb("modules", in: folder, module: true)
      let empty = await #expect(throws: LabError.self) { try await resolve(path, folder) }
      #expect(empty?.problem == "\(path) contains no kernel image")
      let missing = await #expect(throws: LabError.self) { try await resolve("/nowhere/a.rpm", folder) }
      #expect(missing?.problem == "/nowhere/a.rpm: no such package")
      try Data("no package".utf8).write(to: URL(filePath: folder.appending("bad.deb")))
      let bad = await #expect(throws: LabError.self) {
        try await resolve(folder.appending("bad.deb"), folder)
      }
      #expect(bad?.problem.contains("cannot be unpacked") == true)
    }
  }
}
