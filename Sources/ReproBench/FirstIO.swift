import Foundation
import Glibc
import Repro

/// From the start of a sealed reproducer to its first direct read.
///
/// Seen from outside: /proc/PID/task/TID/syscall (proc(5)) shows the call that a thread is in, with its
/// arguments, and a held read stays in it for a while.
enum FirstIO {
  static let subject = Subject(
    "start",
    "from posix_spawn of what `repro seal fork` wrote until one of its threads is seen in pread64 of 3584 bytes "
      + "(/proc/PID/task/TID/syscall); median of 21."
  ) { smoke in
    let scratch = try Scratch()
    let end = try await Program.run([Program.repro, "seal", "fork", "--trials", "1", "-o", scratch("sealed")])
    if end.code != 0 { throw BenchError("repro seal fork: \(end.errors)") }
    let times = try (0..<(smoke ? 1 : 21)).map { _ in try milliseconds(scratch("sealed")) }
    return [
      Row(what: "start of a sealed one-shot to its first I/O", figure: "\(times.median.fixed(1)) ms")
    ]
  }

  /// pread64 of 3584 bytes, as proc(5) prints it: the number of the call, then its arguments.
  private static let call = (number: "17", length: "0xe00")

  private static func milliseconds(_ path: String) throws -> Double {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor in [1, 2] as [CInt] {
      posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
    }
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(path), nil]
    defer { free(arguments[0]) }
    var pid: pid_t = 0
    let start = ContinuousClock.now
    guard posix_spawn(&pid, path, &actions, nil, &arguments, environ) == 0 else {
      throw BenchError("\(path): cannot be started")
    }
    var status: Int32 = 0
    var found: Double?
    while waitpid(pid, &status, WNOHANG) == 0 {
      if found == nil, isReading(pid) || children(of: pid).contains(where: isReading) {
        found = (ContinuousClock.now - start) / .milliseconds(1)
      }
    }
    guard let found else { throw BenchError("\(path): no direct read was seen; is this root, on x86-64?") }
    return found
  }

  /// The supervisor's worker does the I/O.
  private static func children(of pid: pid_t) -> [pid_t] {
    text("/proc/\(pid)/task/\(pid)/children").split(separator: " ").compactMap { pid_t($0) }
  }

  private static func isReading(_ pid: pid_t) -> Bool {
    guard let folder = opendir("/proc/\(pid)/task") else { return false }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let task = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if task.hasPrefix(".") { continue }
      let words = text("/proc/\(pid)/task/\(task)/syscall").split(separator: " ", maxSplits: 4)
      if words.count > 3, words[0] == call.number, words[3] == call.length { return true }
    }
    return false
  }

  /// A short file, with as little ado as can be: a held read lasts some hundred microseconds.
  private static func text(_ path: String) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    if file < 0 { return "" }
    defer { close(file) }
    return String(unsafeUninitializedCapacity: 512) { max(0, read(file, $0.baseAddress, 512)) }
  }
}
