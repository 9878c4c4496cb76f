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

  static let repro = built("repro")

  /// The path of an executable that was built with the tests.
  static func built(_ name: String) -> String {
    let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return URL(filePath: tests).deletingLastPathComponent().appending(path: name).path
  }

  private static let marker = "REPRO_TEST_RUN"

  /// Output goes to files: a pipe that nobody reads would stop the program.
  private let folder: TemporaryFolder
  private let mark = UUID().uuidString
  private(set) var pid: pid_t = 0
  /// What waitpid(2) said.
  private var status: Int32?

  /// Starts `command`, whose first word is a path or in $PATH.
  ///
  /// Not by Foundation: its Process learns of a child's end when a socket closes that other children,
  /// started meanwhile and alive for long, have inherited.
  /// - Parameter additions: to the environment.
  init(_ command: [String], additions: [String: String] = [:]) throws {
    folder = try TemporaryFolder()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, folder("output"), O_WRONLY | O_CREAT, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, folder("errors"), O_WRONLY | O_CREAT, 0o600)
    // This thread may block signals that the program must hear.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    // Its own process group tells what is of it even of a process whose memory, and environment, is gone.
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

    let environment = ProcessInfo.processInfo.environment.merging([Self.marker: mark]) { $1 }
      .merging(additions) { $1 }
    var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for string in words + variables { free(string) } }
    let result = posix_spawnp(&pid, command[0], &actions, &attributes, &words, &variables)
    if result != 0 { throw NotStarted(command: command, reason: String(cString: strerror(result))) }
  }

  /// Starts `repro` with `arguments`.
  convenience init(repro arguments: [String], additions: [String: String] = [:]) throws {
    try self.init([Self.repro] + arguments, additions: additions)
  }

  /// A test that gave up leaves nothing running.
  deinit { if pid > 0 && isRunning { kill(-pid, SIGKILL) } }

  var isRunning: Bool {
    if status != nil { return false }
    var status: Int32 = 0
    if waitpid(pid, &status, WNOHANG) == 0 { return true }
    self.status = status
    return false
  }

  /// Waits for the program's end.
  /// - Throws: Hung, with what its processes do, when it takes minutes.
  func finish(within seconds: Double = 120) throws -> End {
    let deadline = Date.now.addingTimeInterval(seconds)
    while isRunning {
      if Date.now > deadline { throw Hung(processes: processes.map { "\($0.pid) \($0.state)" }) }
      usleep(2_000)
    }
    let (status, signal) = (status ?? 0, (status ?? 0) & 0x7f)
    return End(
      code: signal == 0 ? status >> 8 & 0xff : nil, signal: signal == 0 ? nil : signal,
      output: try folder.read("output"), errors: try folder.read("errors"))
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

  /// A program that can't be started.
  struct NotStarted: Error {
    var command: [String]
    var reason: String
  }

  /// A program that does not end, and the states of its processes.
  struct Hung: Error { var processes: [String] }

  /// Another run did not end within a minute.
  struct Busy: Error {}

  // MARK: Processes

  /// The program and what it forked, but for what is dead and waits for init to reap it.
  var processes: [(pid: pid_t, state: Character)] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return all.compactMap { name in
      guard let pid = pid_t(name), let fields = Self.stat(pid), fields.count > 17,
        let state = fields[0].first, pid_t(fields[2]) == self.pid || isMarked(pid)
      else { return nil }
      // A first thread is a zombie, too, while others of its process hang.
      let isDead = state == "Z" && fields[17] == "1"
      return isDead ? nil : (pid, state)
    }
  }

  private func isMarked(_ pid: pid_t) -> Bool {
    let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ") ?? Data()
    return String(decoding: environment, as: UTF8.self).contains("\(Self.marker)=\(mark)")
  }

  /// The process that does the work, once the supervisor has forked it.
  var worker: pid_t? {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
    for thread in threads {
      let children = try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/children", encoding: .utf8)
      if let child = children?.split(separator: " ").first.flatMap({ pid_t($0) }) { return child }
    }
    return nil
  }

  /// All processes that the supervisor has forked, in that order.
  var workers: [pid_t] { Self.children(pid).sorted() }

  /// Waits for the worker to be there, as long as the program runs.
  func startedWorker(within seconds: Double = 10) -> pid_t? {
    let deadline = Date.now.addingTimeInterval(seconds)
    while isRunning && Date.now < deadline { if let worker { return worker } }
    return nil
  }

  /// State, parent and so on of /proc/PID/stat.
  private static func stat(_ pid: pid_t) -> [Substring]? {
    let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
    return text?.split(separator: ")").last?.split(separator: " ")
  }

  /// The first of the program's descendants that runs a program of this name, once there is one.
  func descendant(_ name: String, within seconds: Double) -> pid_t? {
    let deadline = Date.now.addingTimeInterval(seconds)
    while isRunning && Date.now < deadline {
      var queue = [pid]
      while !queue.isEmpty {
        let next = queue.removeFirst()
        // The kernel cuts names after 15 characters.
        if next != pid, let said = try? String(contentsOfFile: "/proc/\(next)/comm", encoding: .utf8),
          said.dropLast() == name.prefix(15)
        {
          return next
        }
        queue += Self.children(next)
      }
      usleep(20_000)
    }
    return nil
  }

  /// The children of all threads of a process.
  private static func children(_ pid: pid_t) -> [pid_t] {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
    return threads.flatMap { thread in
      let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/children", encoding: .utf8)
      return (text ?? "").split(separator: " ").compactMap { pid_t($0) }
    }
  }

  /// Waits until the program and all that it forked are gone.
  /// - Returns: what is still there after `seconds`.
  func remains(after seconds: Double) -> [(pid: pid_t, state: Character)] {
    let deadline = Date.now.addingTimeInterval(seconds)
    while !processes.isEmpty && Date.now < deadline { usleep(20_000) }
    return processes
  }
}
