import Foundation
import Testing

@testable import ReproLab

@Suite("Kernel images of other architectures")
struct ForeignImageTests {
  /// An image as arm64's, with a banner if it is not compressed.
  static func arm64(banner: String? = nil) -> Data {
    var bytes = [UInt8](repeating: 0, count: 4096)
    bytes.replaceSubrange(0x38..<0x3c, with: Array("ARM\u{64}".utf8))
    // The format string comes first in real images.
    bytes.replaceSubrange(256..<288, with: Array("Linux version %s (%s) #1 SMP abcd".utf8.prefix(32)))
    if let banner {
      let text = Array("Linux version \(banner)\n".utf8)
      bytes.replaceSubrange(1024..<(1024 + text.count), with: text)
    }
    return Data(bytes)
  }

  private func read(_ data: Data, name: String, machine: String = "aarch64") throws -> ForeignImage {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let path = folder.appending(name)
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try data.write(to: URL(filePath: path))
    return try ForeignImage(path: path, machine: machine)
  }

  @Test("the banner tells the release, else the place does")
  func release() throws {
    let image = try read(Self.arm64(banner: "6.1.0-50-arm64 (gcc) #1"), name: "Image")
    #expect(image.release == "6.1.0-50-arm64" && image.banner == "6.1.0-50-arm64 (gcc) #1")
    #expect(try read(Self.arm64(), name: "vmlinuz-6.1.0-50-arm64").release == "6.1.0-50-arm64")
    #expect(try read(Self.arm64(), name: "7.2.12+deb14-arm64/vmlinuz").release == "7.2.12+deb14-arm64")
    #expect(throws: LabError.self) { try read(Self.arm64(), name: "Image") }
  }

  @Test("an image for another machine is refused, and said to be that")
  func otherMachine() throws {
    let error = #expect(throws: LabError.self) {
      try read(Self.arm64(), name: "vmlinuz-6.1", machine: "s390x")
    }
    #expect(error?.problem.hasSuffix("not a kernel image for s390x but for aarch64") == true)
    #expect(throws: LabError.self) { try read(Data("no kernel".utf8), name: "vmlinuz-6.1") }
    #expect(throws: LabError.self) { try ForeignImage(path: "/nowhere/vmlinuz", machine: "s390x") }
  }

  @Test("each architecture's mark is known")
  func marks() {
    func image(_ mark: String, at offset: Int) -> Data {
      var bytes = [UInt8](repeating: 0, count: 0x10100)
      bytes.replaceSubrange(offset..<(offset + mark.utf8.count), with: Array(mark.utf8))
      return Data(bytes)
    }
    #expect(ForeignImage.machine(of: image("S390EP", at: 0x10008)) == "s390x")
    #expect(ForeignImage.machine(of: image("RSC\u{05}", at: 0x38)) == "riscv64")
    #expect(ForeignImage.machine(of: KernelImageTests.image()) == "x86_64")
    var elf = FakeELF.executable(interpreter: false)
    #expect(ForeignImage.machine(of: Data(elf)) == "x86_64")
    elf[18] = 21
    #expect(ForeignImage.machine(of: Data(elf)) == "ppc64le")
    #expect(ForeignImage.machine(of: Data()) == nil)
  }

  @Test("big-endian ELF files are read too")
  func bigEndian() {
    var bytes = FakeELF.executable(interpreter: false)
    bytes[5] = 2
    (bytes[18], bytes[19]) = (0, 22)
    #expect(ELFFile(bytes)?.machineName == "s390x")
    bytes[5] = 3
    #expect(ELFFile(bytes) == nil)
  }
}
