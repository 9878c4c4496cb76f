import Foundation

/// The header of a bzImage, as the x86 boot protocol lays it out in the file's first sectors.
///
///     0x1f1 setup_sects (sectors of real-mode code)      0x1fe 0xAA55
///     0x1f4 syssize (protected-mode code, in 16 bytes)   0x202 "HdrS", 0x206 protocol version
///     0x20e kernel_version: 0x200 + this is where the release string stands
///     0x248 payload_offset, 0x24c payload_length: the compressed kernel in the protected-mode code
public struct KernelImage: Sendable, Equatable {
  /// What these are for, as `uname -m` has it.
  static let machine = "x86_64"

  /// The kernel's release, the first word of `banner`: `6.1.0-50-cloud-amd64`.
  public let release: String
  /// The whole string in the header: release, builder, build number and date.
  public let banner: String
  /// Where the compressed kernel stands in the file; empty if the header doesn't say (boot protocol below 2.8).
  let payload: Range<Int>

  /// Reads the header of the image at `path`.
  public init(path: String) throws {
    let url = URL(fileURLWithPath: path)
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
      throw LabError(
        "\(path): no such kernel image",
        remedy: "give the path of a bzImage, debian:SUITE/PACKAGE or a kernel's short name")
    }
    guard let bytes = try? Data(contentsOf: url, options: .mappedIfSafe) else {
      throw LabError("\(path): cannot be read", remedy: "make it readable (Debian keeps /boot to root)")
    }
    try self.init(bytes: bytes, name: path)
  }

  /// Reads the header from a whole image; `name` is what errors call it.
  init(bytes: Data, name: String) throws {
    func foreign(_ why: String) -> LabError {
      LabError(
        "\(name): not an x86 kernel image (\(why))", remedy: "give the bzImage, not vmlinux or an initrd")
    }
    func truncated(_ expected: Int) -> LabError {
      LabError(
        "\(name): truncated kernel image (\(bytes.count) bytes, its header says \(expected))",
        remedy: "copy or download it again")
    }
    func byte(_ offset: Int) -> Int { Int(bytes[bytes.startIndex + offset]) }
    func word(_ offset: Int) -> Int { byte(offset) | byte(offset + 1) << 8 }
    func long(_ offset: Int) -> Int { word(offset) | word(offset + 2) << 16 }

    guard bytes.count >= 0x264 else { throw foreign("\(bytes.count) bytes") }
    guard word(0x1fe) == 0xaa55, bytes.dropFirst(0x202).prefix(4).elementsEqual("HdrS".utf8) else {
      throw foreign("no HdrS at 0x202")
    }
    guard word(0x206) >= 0x206 else { throw foreign("boot protocol below 2.6") }

    let setupSectors = byte(0x1f1) == 0 ? 4 : byte(0x1f1)
    let code = (setupSectors + 1) * 512
    let expected = code + long(0x1f4) * 16
    guard bytes.count >= expected else { throw truncated(expected) }

    let start = 0x200 + word(0x20e)
    guard word(0x20e) != 0, start < code else { throw foreign("no version string") }
    let compressed = bytes.startIndex + code + long(0x248)
    let isTold = word(0x206) >= 0x208 && compressed + long(0x24c) <= bytes.endIndex
    payload = isTold ? compressed..<(compressed + long(0x24c)) : bytes.startIndex..<bytes.startIndex
    let text = bytes.dropFirst(start).prefix(512).prefix { $0 != 0 }
    banner = String(decoding: text, as: UTF8.self)
    release = String(banner.prefix { $0 != " " })
    guard release.first?.isNumber == true else { throw foreign("version string is '\(banner)'") }
  }
}
