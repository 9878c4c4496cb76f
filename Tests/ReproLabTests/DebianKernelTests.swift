import Foundation
import Testing

@testable import ReproLab

@Suite("Cache of Debian kernels")
struct DebianKernelTests {
  private static let release = "6.1.0-50-cloud-amd64"

  /// A cache with one kernel, laid out as Debian did before or does since 7.x.
  private func withCache(
    image: String, modules: String, _ body: (_ cache: String, _ entry: String) async throws -> Void
  ) async throws {
    let cache = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { cache.remove() }
    let entry = cache.appending("nosuite/linux-image-x")
    for (file, data) in [(image, KernelImageTests.image()), ("\(modules)/kernel/a.ko", Data())] {
      let url = URL(fileURLWithPath: "\(entry)/\(file)")
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try data.write(to: url)
    }
    try await body(cache.path, entry)
  }

  @Test(arguments: [
    ("boot/vmlinuz-\(release)", "lib/modules/\(release)"),
    ("boot/vmlinuz-\(release)", "usr/lib/modules/\(release)"),
    ("usr/lib/modules/\(release)/vmlinuz", "usr/lib/modules/\(release)"),
  ])
  func aFinishedEntryNeedsNoMirror(image: String, modules: String) async throws {
    try await withCache(image: image, modules: modules) { cache, entry in
      let kernel = try await KernelSource(parsing: "debian:nosuite/linux-image-x").resolve(cache: cache)
      #expect(kernel.release == Self.release && kernel.name == "debian:nosuite/linux-image-x")
      #expect(kernel.image == "\(entry)/\(image)" && kernel.modules == "\(entry)/\(modules)")
    }
  }

  @Test func aSpoiledEntrySaysWhatToRemove() async throws {
    try await withCache(image: "boot/config", modules: "lib/modules/x") { cache, entry in
      let error = await #expect(throws: LabError.self) {
        try await KernelSource(parsing: "debian:nosuite/linux-image-x").resolve(cache: cache)
      }
      #expect(error?.problem == "debian:nosuite/linux-image-x contains no kernel image")
      #expect(error?.remedy == "remove \(entry)")
    }
  }

  @Test func aptIsConfined() throws {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let apt = try PrivateApt(suite: "sid", folder: folder.path, sources: AptSources(files: []))
    let written = try String(contentsOfFile: folder.appending("suite.sources"), encoding: .utf8)
    #expect(written.contains("Suites: sid\n"))
    let places = apt.options.filter { $0.hasPrefix("Dir::") && !$0.hasSuffix("SourceParts=-") }
    #expect(places.count == 4 && places.allSatisfy { $0.contains("=\(folder.path)") })
  }

  /// What trixie-backports is like for 6.18.15: the image is kept, the list of what is built in is not.
  @Test func anArchiveMayHaveDroppedTheListOfBuiltInModules() async throws {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let index = folder.appending("debian/dists/sid/main/binary-amd64")
    try FileManager.default.createDirectory(atPath: index, withIntermediateDirectories: true)
    let packages = [
      ("linux-image-x", "linux-base-x (= 1), linux-modules-x"), ("linux-modules-x", "kmod"),
      ("linux-image-y", "linux-modules-y"),
    ].map { name, needs in
      """
      Package: \(name)
      Version: 1
      Architecture: amd64
      Maintainer: none
      Filename: pool/\(name).deb
      Size: 1
      Depends: \(needs)

      """
    }
    try packages.joined(separator: "\n").write(
      toFile: index + "/Packages", atomically: false, encoding: .utf8)
    let entry = "deb [trusted=yes allow-insecure=yes] file:\(folder.path)/debian sid main"
    let apt = try PrivateApt(
      suite: "sid", folder: folder.path, sources: AptSources(files: [("a.list", entry)]))
    try await apt.update()
    #expect(try await apt.closure(of: "linux-image-x") == ["linux-image-x", "linux-modules-x"])
    await #expect(throws: LabError.self) { try await apt.closure(of: "linux-image-y") }
  }
}
