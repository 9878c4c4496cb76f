import Foundation
import Subprocess
import SystemPackage

/// A program of the host that the lab calls: apt-get, dpkg, xz, QEMU.
struct HostTool: Sendable {
  /// The program's name, looked up in `PATH`, or its path.
  let name: String
  /// The Debian package that brings it.
  let package: String

  static let aptGet = HostTool(name: "apt-get", package: "apt")
  static let aptCache = HostTool(name: "apt-cache", package: "apt")
  static let dpkg = HostTool(name: "dpkg", package: "dpkg")
  static let bsdtar = HostTool(name: "bsdtar", package: "libarchive-tools")
  static let xz = HostTool(name: "xz", package: "xz-utils")
  static let zstd = HostTool(name: "zstd", package: "zstd")
  static let gzip = HostTool(name: "gzip", package: "gzip")
  static let setpriv = HostTool(name: "setpriv", package: "util-linux")

  var executable: Executable { name.contains("/") ? .path(FilePath(name)) : .name(name) }

  /// The path that will be executed, or nil if the program isn't installed.
  func path() async -> String? {
    guard let path = try? await executable.resolveExecutablePath(in: .inherit),
      FileManager.default.isExecutableFile(atPath: path.string)
    else { return nil }
    return path.string
  }

  /// A command, made to die with this process, however that ends.
  ///
  /// The parent-death signal counts the thread that spawned the child; Subprocess spawns on one thread that lives
  /// until the process exits.
  static func tied(_ command: [String]) async -> [String] {
    guard let setpriv = await HostTool.setpriv.path() else { return command }
    return [setpriv, "--pdeathsig", "KILL", "--"] + command
  }

  /// How a run of the tool ended.
  struct Outcome: Sendable {
    let status: TerminationStatus
    let output: [UInt8]
    let errors: String

    var succeeded: Bool { status.isSuccess }
    var text: String { String(decoding: output, as: UTF8.self) }

    /// The line of the tool's complaint that says most: its last error line.
    var complaint: String {
      let lines = errors.split(whereSeparator: \.isNewline)
      guard let line = lines.last(where: { $0.hasPrefix("E: ") }) ?? lines.last else {
        return "no message (\(status))"
      }
      return String(line.hasPrefix("E: ") ? line.dropFirst(3) : line).trimmingCharacters(in: ["."])
    }
  }

  /// Runs the tool, which prints into the new file `path`.
  /// - Returns: whether it succeeded; also false where it is not on this machine, or the file cannot be made.
  func succeeds(_ arguments: [String], printingTo path: String) async -> Bool {
    guard let tool = await self.path(),
      let file = try? FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: .ownerReadWrite)
    else { return false }
    let result = try? await Subprocess.run(
      .path(FilePath(tool)), arguments: Arguments(arguments), environment: .inherit.updating(["LC_ALL": "C"]),
      output: .fileDescriptor(file, closeAfterSpawningProcess: true), error: .discarded)
    return result?.terminationStatus.isSuccess == true
  }

  /// Runs the tool and collects what it prints; only a tool that can't be started throws.
  func run(_ arguments: [String], in folder: String? = nil, limit: Int = 256 << 20) async throws -> Outcome {
    guard let path = await path() else {
      throw LabError("\(name) is not on this machine", remedy: "apt-get install \(package)")
    }
    let result = try await Subprocess.run(
      .path(FilePath(path)), arguments: Arguments(arguments),
      environment: .inherit.updating(["LC_ALL": "C"]),
      workingDirectory: folder.map { FilePath($0) },
      output: .bytes(limit: limit), error: .string(limit: 1 << 20))
    try Task.checkCancellation()
    return Outcome(
      status: result.terminationStatus, output: result.standardOutput, errors: result.standardError)
  }
}
