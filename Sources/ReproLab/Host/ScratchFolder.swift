import Foundation
import Glibc

/// A folder for the duration of one piece of work, that no ending of the process leaves behind for long.
///
/// The name carries the process id: `repro-guest-4711-9F3A...`. Whoever creates a scratch folder first removes
/// those in the same place whose process is gone, so what a SIGKILL left is cleared by the next run.
struct ScratchFolder: Sendable {
  let path: String

  /// Creates a folder in `parent`, which is created too if need be.
  init(in parent: String, prefix: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
      Self.sweep(parent, prefix: prefix)
      let random = String(UInt64.random(in: 0 ... .max), radix: 16)
      path = "\(parent)/\(prefix)-\(getpid())-\(random)"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    } catch {
      throw LabError(
        "cannot create a folder in \(parent): \(error.localizedDescription)",
        remedy: "make it writable, or point TMPDIR and XDG_CACHE_HOME elsewhere")
    }
  }

  /// The system's place for temporary files.
  static var temporary: String {
    let path = FileManager.default.temporaryDirectory.path
    return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
  }

  /// The path of an entry of the folder.
  func appending(_ name: String) -> String { "\(path)/\(name)" }

  /// Removes the folder and all in it; harmless when it is gone already.
  func remove() {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Removes the folders whose owner no longer lives.
  static func sweep(_ parent: String, prefix: String) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] {
      guard name.hasPrefix(prefix + "-"),
        let owner = pid_t(name.dropFirst(prefix.count + 1).prefix { $0 != "-" }),
        kill(owner, 0) == -1, errno == ESRCH
      else { continue }
      try? FileManager.default.removeItem(atPath: "\(parent)/\(name)")
    }
  }
}
