import Foundation
import Testing

@testable import Repro
@testable import ReproLab

/// The ELF file in a bzImage, taken out only where QEMU can start it.
@Suite("Kernels started without their decompressor")
struct DirectBootTests {
  private static let kernel = FakeELF.kernel(notes: [("GNU", 18), ("Xen", 6), ("Xen", 18)])

  /// What a kernel's build makes of it: compressed, and its size after it, which gzip has of itself.
  static func payload(_ elf: [UInt8] = kernel, _ tool: HostTool = .zstd) async throws -> [UInt8] {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    try Data(elf).write(to: URL(filePath: folder.appending("vmlinux")))
    let legacy = tool.name == "lz4" ? ["-l"] : []
    let made = try await tool.run(legacy + ["-c", folder.appending("vmlinux")])
    try #require(made.succeeded, "\(made.complaint)")
    let size = (0..<4).map { UInt8(truncatingIfNeeded: elf.count >> (8 * $0)) }
    return made.output + (tool.name == "gzip" ? [] : size)
  }

  private func prepared(
    _ payload: [UInt8], release: String = "6.1.0"
  ) async throws -> (elf: [UInt8]?, left: [String]) {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let image = KernelImageTests.image(banner: "\(release) (builder) #1 SMP", payload: payload)
    try image.write(to: URL(filePath: folder.appending("bzImage")))
    let path = await DirectBoot.prepare(try Kernel(image: folder.appending("bzImage")), in: folder)
    let elf = path.flatMap { FileManager.default.contents(atPath: $0) }.map { [UInt8]($0) }
    return (elf, try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted())
  }

  @Test(
    "is what was compressed, by whatever kernels are compressed with",
    arguments: ["gzip", "zstd", "xz", "lz4", "bzip2"])
  func compressors(name: String) async throws {
    let tool = HostTool(name: name, package: name)
    guard await tool.path() != nil else { return }
    let (elf, left) = try await prepared(try await Self.payload(Self.kernel, tool))
    #expect(elf == Self.kernel)
    #expect(left == ["bzImage", "vmlinux"])
  }

  @Test("is not taken without the note that says where it begins")
  func note() async throws {
    for notes in [[], [("GNU", 18)], [("Xen", 17)]] {
      let (elf, left) = try await prepared(try await Self.payload(FakeELF.kernel(notes: notes)))
      #expect(elf == nil && left == ["bzImage"])
    }
  }

  @Test("is not taken of kernels whose entry asks for Xen")
  func old() async throws {
    let payload = try await Self.payload()
    #expect(try await prepared(payload, release: "4.19.0").elf == nil)
    #expect(try await prepared(payload, release: "5.0.0").elf == Self.kernel)
  }

  @Test("is not taken when cut, of another size than was said, or of no known compressor")
  func damaged() async throws {
    let payload = try await Self.payload()
    var other = payload
    other[payload.count - 4] ^= 1
    for bytes in [[], [1, 2, 3], [UInt8](repeating: 7, count: 100), Array(payload.dropFirst(1)), other] {
      let (elf, left) = try await prepared(bytes)
      #expect(elf == nil && left == ["bzImage"])
    }
    #expect(try await prepared(Array(payload.prefix(40)) + payload.suffix(4)).elf == nil)
  }
}
