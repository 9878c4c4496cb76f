import Foundation

/// A kernel image of another architecture than x86: what it is for, and its release.
///
///     arm64    "ARM\x64" at 0x38              riscv64  "RSC\x05" at 0x38
///     ppc64le  an ELF file for machine 21     s390x    "S390EP" at 0x10008
///
/// There is no field for the release. What is not compressed has the banner ("Linux version ..."); for the rest the
/// place tells: `vmlinuz-RELEASE`, or `modules/RELEASE/vmlinuz`.
struct ForeignImage: Sendable {
  /// The release: `6.1.0-50-arm64`.
  let release: String
  /// The banner, or the release where it is compressed.
  let banner: String

  /// Reads the image at `path`.
  /// - Parameter machine: what it must be for, as `uname -m` has it.
  init(path: String, machine: String) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue,
      let bytes = try? Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
    else {
      throw LabError(
        "\(path): no such kernel image", remedy: "give an image's path, debian:SUITE/PACKAGE or a short name")
    }
    let found = Self.machine(of: bytes)
    guard found == machine else {
      throw LabError(
        "\(path): not a kernel image for \(machine)" + (found.map { " but for \($0)" } ?? ""),
        remedy: "give that architecture's own vmlinuz, not compressed as a whole")
    }
    let text = Self.banner(in: bytes)
    guard let release = text.flatMap(Self.release(inBanner:)) ?? Self.release(ofFile: path) else {
      throw LabError(
        "\(path): tells no release", remedy: "name it vmlinuz-RELEASE, or put it in modules/RELEASE")
    }
    self.release = release
    banner = text ?? release
  }

  /// What an image is for; nil for what is none.
  static func machine(of bytes: Data) -> String? {
    func has(_ text: String, at offset: Int) -> Bool {
      bytes.dropFirst(offset).prefix(text.utf8.count).elementsEqual(text.utf8)
    }
    if has("ARM\u{64}", at: 0x38) { return "aarch64" }
    if has("RSC\u{05}", at: 0x38) { return "riscv64" }
    if has("S390EP", at: 0x10008) { return "s390x" }
    if has("HdrS", at: 0x202) { return "x86_64" }
    guard let header = ELFFile([UInt8](bytes.prefix(64))) else { return nil }
    return header.machineName
  }

  private static func banner(in bytes: Data) -> String? {
    let mark = Data("Linux version ".utf8)
    var rest = bytes.startIndex..<bytes.endIndex
    while let found = bytes.range(of: mark, in: rest) {
      let line = bytes[found.upperBound...].prefix(512).prefix { $0 != 0 && $0 != 10 }
      // The format string of the banner stands there as well.
      if line.first.map({ $0 >= 0x30 && $0 <= 0x39 }) == true { return String(decoding: line, as: UTF8.self) }
      rest = found.upperBound..<bytes.endIndex
    }
    return nil
  }

  private static func release(inBanner banner: String) -> String? {
    let word = String(banner.prefix { $0 != " " })
    return word.isEmpty ? nil : word
  }

  private static func release(ofFile path: String) -> String? {
    let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
    for prefix in ["vmlinuz-", "vmlinux-", "image-"] where url.lastPathComponent.hasPrefix(prefix) {
      return String(url.lastPathComponent.dropFirst(prefix.count))
    }
    let folder = url.deletingLastPathComponent().lastPathComponent
    return folder.first?.isNumber == true ? folder : nil
  }
}
