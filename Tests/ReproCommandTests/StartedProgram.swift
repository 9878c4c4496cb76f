import Foundation
import Glibc
import TestHost

/// The `repro` command that was built with these tests, and programs around it.
final class StartedProgram {
  /// How a program ended.
  struct End {
    /// The exit code, nil when a signal ended it.
    var code: Int32?
    var signal: Int32?
    var output: String
    var errors: String

    var errorLines: [Substring] { errors.split(separator: "\n") }
  }

  /// Beside the test bundle.
  static let repro: String = {
    let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return URL(filePath: tests).deletingLastPathComponent().appending(path: "repro").path
  }()

  private static let marker = "REPRO_TEST_RUN"

  private let process = Process()
  /// Output goes to files: a pipe that nobody reads would stop the program.
  private let folder: TemporaryFolder
  private let mark = UUID().uuidString

  var pid: pid_t { process.processIdentifier }
  var isRunning: Bool { process.isRunning }

  /// Starts `command`, whose first word is a path or in $PATH.
  init(_ command: [String]) throws {
    folder = try TemporaryFolder()
    for name in ["output", "errors"] { try folder.write("", to: name) }
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    process.environment = ProcessInfo.processInfo.environment.merging([Self.marker: mark]) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: URL(filePath: folder("output")))
    process.standardError = try FileHandle(forWritingTo: URL(filePath: folder("errors")))
    try process.run()
  }

  /// Starts `repro` with `arguments`.
  convenience init(repro arguments: [String]) throws { try self.init([Self.repro] + arguments) }

  /// Waits for the program's end.
  /// - Throws: Hung, with what its processes do, when it takes minutes.
  func finish() throws -> End {
    let deadline = Date.now.addingTimeInterval(120)
    while process.isRunning {
      if Date.now > deadline { throw Hung(processes: processes.map { "\($0.pid) \($0.state)" }) }
      usleep(5_000)
    }
    process.waitUntilExit()
    let bySignal = process.terminationReason == .uncaughtSignal
    let status = process.terminationStatus
    return End(
      code: bySignal ? nil : status, signal: bySignal ? status : nil, output: try folder.read("output"),
      errors: try folder.read("errors"))
  }

  static func run(_ arguments: String...) throws -> End { try run(arguments) }

  /// Runs `repro` with `arguments` to its end. While another run has the host's settings, waits for it.
  static func run(_ arguments: [String]) throws -> End {
    for _ in 0..<60 {
      let end = try StartedProgram(repro: arguments).finish()
      if !end.errors.contains("another repro run is changing this host") { return end }
      sleep(1)
    }
    throw Busy()
  }

  /// A program that does not end, and the states of its processes.
  struct Hung: Error { var processes: [String] }

  /// Another run did not end within a minute.
  struct Busy: Error {}

  // MARK: Processes

  /// The program and what it forked, alive and not yet reaped by this process.
  var processes: [(pid: pid_t, state: Character)] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return all.compactMap { name in
      guard let pid = pid_t(name),
        let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ"),
        String(decoding: environment, as: UTF8.self).contains("\(Self.marker)=\(mark)"),
        let state = Self.stat(pid)?.first?.first
      else { return nil }
      return (pid, state)
    }
  }

  /// The process that does the work, once the supervisor has forked it.
  var worker: pid_t? {
    processes.map(\.pid).first { candidate in
      let fields = Self.stat(candidate) ?? []
      return fields.count > 1 && pid_t(fields[1]) == pid
    }
  }

  /// State, parent and so on of /proc/PID/stat.
  private static func stat(_ pid: pid_t) -> [Substring]? {
    let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
    return text?.split(separator: ")").last?.split(separator: " ")
  }

  /// Waits until the program and all that it forked are gone.
  /// - Returns: what is still there after `seconds`.
  func remains(after seconds: Double) -> [(pid: pid_t, state: Character)] {
    let deadline = Date.now.addingTimeInterval(seconds)
    while !processes.isEmpty && Date.now < deadline { usleep(20_000) }
    return processes
  }
}
