import Foundation
import Glibc

/// Executable files of tests. Another process writes them: a file that is open for writing can't be executed,
/// and a worker that some test forks meanwhile, which never calls execve(2), keeps open what this one has.
///
///     this process             a test's worker
///     open(program, O_WRONLY)
///                              fork: it has the file open too
///     write, close
///     execve(program)
///       ETXTBSY                lives for seconds
package enum ProgramFile {
  /// Copies the program at `original` to `path`, for everybody to execute.
  package static func copy(_ original: String, to path: String) throws {
    let command = ["install", "-m", "755", original, path]
    var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var pid: pid_t = 0
    let result = posix_spawnp(&pid, "install", nil, nil, &words, environ)
    if result != 0 { throw NotInstalled(path: path, reason: String(cString: strerror(result))) }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    if status != 0 { throw NotInstalled(path: path, reason: "install ended with status \(status)") }
  }

  /// Makes a program of `script` at `path`.
  package static func write(_ script: String, to path: String) throws {
    let text = path + ".text"
    try script.write(toFile: text, atomically: false, encoding: .utf8)
    defer { unlink(text) }
    try copy(text, to: path)
  }

  private struct NotInstalled: Error {
    var path: String
    var reason: String
  }
}
