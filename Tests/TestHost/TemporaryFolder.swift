import Foundation

/// A folder that lives as long as this object.
package final class TemporaryFolder {
  package let path: String

  /// A new, empty folder.
  /// - Parameter parent: on disk by default, since many machines have /tmp in memory.
  package init(in parent: String = "/var/tmp") throws {
    path = "\(parent)/repro-test.\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  package func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  /// What is in it, sorted.
  package var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path))?.sorted() ?? [] }

  package func write(_ text: String, to name: String) throws {
    try text.write(toFile: self(name), atomically: false, encoding: .utf8)
  }

  package func read(_ name: String) throws -> String {
    try String(contentsOfFile: self(name), encoding: .utf8)
  }
}
