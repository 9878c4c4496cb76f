import Foundation
import TestHost

/// An ext4 file system of a few MiB on a loop device, mounted while this object lives. Needs root.
final class SmallDisk {
  private let folder: TemporaryFolder
  let path: String

  /// What a tool said when it failed.
  struct Failure: Error { var text: String }

  static let mebibytes = 4

  init() throws {
    folder = try TemporaryFolder()
    path = folder("mounted")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    let image = folder("image")
    try Self.run("truncate", "-s", "\(Self.mebibytes)M", image)
    try Self.run("mkfs.ext4", "-q", "-O", "^has_journal", image)
    // The loop device goes when the mount goes.
    try Self.run("mount", "-o", "loop", image, path)
  }

  deinit { try? Self.run("umount", "-l", path) }

  var names: [String] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return all.filter { $0 != "lost+found" }
  }

  private static func run(_ command: String...) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    if process.terminationStatus != 0 { throw Failure(text: String(decoding: text, as: UTF8.self)) }
  }
}
