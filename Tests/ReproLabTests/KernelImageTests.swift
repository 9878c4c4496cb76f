import Foundation
import Testing

@testable import ReproLab

@Suite("bzImage header")
struct KernelImageTests {
  /// A made-up image: one setup sector after the boot sector, 4096 bytes of "kernel".
  /// - Parameter payload: stands in the latter, after 16 other bytes.
  static func image(
    banner: String = "6.1.0-50-cloud-amd64 (builder) #1 SMP Debian", payload: [UInt8] = []
  ) -> Data {
    var bytes = Data(count: 1024 + 4096)
    bytes[0x1f1] = 1
    bytes[0x1f4] = 0x00
    bytes[0x1f5] = 0x01
    bytes[0x1fe] = 0x55
    bytes[0x1ff] = 0xaa
    bytes.replaceSubrange(0x202..<0x206, with: Data("HdrS".utf8))
    bytes[0x206] = 0x0f
    bytes[0x207] = 0x02
    bytes[0x20e] = 0x80
    bytes.replaceSubrange(0x22c..<0x230, with: [0xff, 0xff, 0xff, 0x7f])
    bytes.replaceSubrange(0x280..<(0x280 + banner.utf8.count), with: Data(banner.utf8))
    bytes[0x248] = 16
    bytes.replaceSubrange(0x24c..<0x24e, with: [UInt8(payload.count & 0xff), UInt8(payload.count >> 8)])
    bytes.replaceSubrange((1024 + 16)..<(1024 + 16 + payload.count), with: payload)
    return bytes
  }

  @Test func releaseIsTheBannersFirstWord() throws {
    let image = try KernelImage(bytes: Self.image(), name: "vmlinuz")
    #expect(image.release == "6.1.0-50-cloud-amd64")
    #expect(image.banner.hasSuffix("SMP Debian"))
  }

  @Test func thePayloadIsWhereTheHeaderSays() throws {
    var bytes = Self.image(payload: [1, 2, 3])
    #expect(bytes[try KernelImage(bytes: bytes, name: "x").payload].elementsEqual([1, 2, 3]))
    bytes[0x206] = 0x07  // before there was such a field
    #expect(try KernelImage(bytes: bytes, name: "x").payload.isEmpty)
    bytes[0x206] = 0x0f
    bytes[0x24f] = 0x10  // beyond the end of the file
    #expect(try KernelImage(bytes: bytes, name: "x").payload.isEmpty)
  }

  @Test func aSliceIsReadFromItsOwnStart() throws {
    let padded = Data([1, 2, 3]) + Self.image()
    #expect(try KernelImage(bytes: padded.dropFirst(3), name: "x").release == "6.1.0-50-cloud-amd64")
  }

  @Test(arguments: [600, 1024, 5000, 5119])
  func truncation(length: Int) throws {
    let error = #expect(throws: LabError.self) {
      try KernelImage(bytes: Self.image().prefix(length), name: "vmlinuz-x")
    }
    let problem = try #require(error?.problem)
    #expect(problem.hasPrefix("vmlinuz-x: "))
    if length > 1000 {
      #expect(problem == "vmlinuz-x: truncated kernel image (\(length) bytes, its header says 5120)")
    }
  }

  @Test(arguments: [
    Data(), Data(repeating: 0, count: 4096), Data("\u{7f}ELF".utf8) + Data(repeating: 7, count: 9000),
    Self.image(banner: "hello"),
  ])
  func foreignFiles(bytes: Data) throws {
    let error = #expect(throws: LabError.self) { try KernelImage(bytes: bytes, name: "f") }
    let text = try #require(error?.description)
    #expect(text.hasPrefix("f: not an x86 kernel image (") && !text.contains("\n"))
  }

  @Test func aMissingFileIsNamed() throws {
    let error = #expect(throws: LabError.self) { try KernelImage(path: "/nowhere/vmlinuz") }
    #expect(error?.problem == "/nowhere/vmlinuz: no such kernel image")
    #expect(throws: LabError.self) { try KernelImage(path: "/tmp") }
  }
}
