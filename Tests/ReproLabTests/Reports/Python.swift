import Foundation
import TestHost
import Testing

/// Readers of report formats that are not ours, from PyPI; `./run.sh test` installs them.
enum Python {
  static let path = ProcessInfo.processInfo.environment["REPRO_PYTHON"]

  /// What a reader says of a document that it refuses.
  struct Refused: Error { var reason: String }

  /// What the program `script` prints of a file with `text`, whose path is its argument.
  /// - Throws: Refused when it fails.
  static func read(_ text: String, with script: String) throws -> String {
    let folder = try TemporaryFolder()
    try folder.write(text, to: "report")
    return try run([try #require(path), "-c", script, folder("report")])
  }

  /// What a program prints.
  /// - Throws: Refused when it fails.
  static func run(_ command: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: command[0])
    process.arguments = Array(command.dropFirst())
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    process.standardError = errors
    try process.run()
    // Read at once, or a full pipe stops the program.
    let complaints = Complaints(errors)
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Refused(reason: text + complaints.text) }
    return text
  }

  /// What a program writes on standard error, read on a thread of its own.
  private final class Complaints: @unchecked Sendable {
    private var data = Data()
    private let done = DispatchGroup()

    init(_ pipe: Pipe) {
      done.enter()
      Thread.detachNewThread { [self] in
        data = (try? pipe.fileHandleForReading.readToEnd()) ?? Data()
        done.leave()
      }
    }

    var text: String {
      done.wait()
      return String(decoding: data, as: UTF8.self)
    }
  }
}

extension Trait where Self == ConditionTrait {
  /// Needs the readers from PyPI.
  static var withPython: Self {
    .enabled(if: Python.path != nil, "REPRO_PYTHON is set by ./run.sh test")
  }
}
