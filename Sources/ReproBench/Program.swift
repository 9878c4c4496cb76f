import Foundation
import Repro
import ReproLab
import Subprocess
import SystemPackage

/// Programs that are measured from outside.
enum Program {
  /// How one ended, and what it took.
  struct End {
    var code: Int
    var output: String
    var errors: String
    var seconds: Double
  }

  /// The folder of this executable, in which the others were built, too.
  static let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent().path

  /// The suite: beside this executable, or in REPRO_EXECUTABLE.
  static let repro = ProcessInfo.processInfo.environment["REPRO_EXECUTABLE"] ?? "\(folder)/repro"

  /// The top of the repository: sources of peers are there.
  static let root: String = {
    var place = URL(fileURLWithPath: folder)
    while place.path != "/", !FileManager.default.fileExists(atPath: place.path + "/fixtures/peers") {
      place.deleteLastPathComponent()
    }
    return place.path
  }()

  /// Runs `command`, a path and its arguments, to its end.
  /// - Throws: BenchError when it can't be started.
  static func run(_ command: [String]) async throws -> End {
    let start = ContinuousClock.now
    do {
      let result = try await Subprocess.run(
        command[0].contains("/") ? .path(FilePath(command[0])) : .name(command[0]),
        arguments: Arguments(Array(command.dropFirst())), output: .string(limit: 64 << 20),
        error: .string(limit: 1 << 20))
      let code: Int =
        switch result.terminationStatus {
        case .exited(let code): Int(code)
        case .signaled(let signal): 128 + Int(signal)
        }
      return End(
        code: code, output: result.standardOutput, errors: result.standardError,
        seconds: (ContinuousClock.now - start) / .seconds(1))
    } catch let error as SubprocessError {
      throw BenchError("\(command[0]): cannot be started: \(error); build with './run.sh bench'")
    }
  }

  /// Runs `repro` with a JSONL report, and gives the results of its cases.
  /// - Throws: BenchError when none of them was decided.
  static func results(_ arguments: [String]) async throws -> [CaseResult] {
    let scratch = try Scratch()
    let end = try await run([repro] + arguments + ["--format", "jsonl", "--output", scratch("report.jsonl")])
    let events = try StoredReport(scratch("report.jsonl"), .losses).runs.joined()
    let results = events.compactMap { if case .result(let result) = $0 { result } else { nil } }
    guard results.contains(where: { $0.count.trials > 0 }) else {
      throw BenchError("repro \(arguments.joined(separator: " ")): no trial was run: \(end.errors)")
    }
    return results
  }

  /// Compiles a C program of fixtures/peers.
  static func compiled(_ name: String, _ options: [String], to path: String) async throws {
    let source = "\(root)/fixtures/peers/\(name).c"
    let end = try await run(["cc", "-O2", "-pthread", "-o", path] + options + [source])
    if end.code != 0 {
      throw BenchError(
        "\(source): \(end.errors.split(separator: "\n").first ?? ""); apt-get install gcc libc6-dev")
    }
  }
}

/// A folder that is gone with its last user.
final class Scratch: Sendable {
  let path: String

  init(in parent: String = NSTemporaryDirectory()) throws {
    path = "\(parent)/repro-bench-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }
}

extension [Double] {
  /// The middle one; of nothing, not a number.
  var median: Double { isEmpty ? .nan : sorted()[count / 2] }
}
