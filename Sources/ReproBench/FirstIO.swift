import Foundation
import Repro

/// From the start of a sealed reproducer to its first direct read.
enum FirstIO {
  static let subject = Subject(
    "start",
    "from the start of what `repro seal fork` wrote to the entry of its first pread64 of 3584 bytes, by "
      + "`strace -f --seccomp-bpf -e pread64`, which stops it at nothing else; median of 21, strace's own start included."
  ) { smoke in
    let scratch = try Scratch()
    let sealed = scratch("sealed")
    let end = try await Program.run([Program.repro, "seal", "fork", "--trials", "1", "-o", sealed])
    if end.code != 0 { throw BenchError("repro seal fork: \(end.errors)") }
    var times: [Double] = []
    for _ in 0..<(smoke ? 1 : 21) { times.append(try await milliseconds(sealed, log: scratch("log"))) }
    return [
      Row(what: "start of a sealed one-shot to its first I/O", figure: "\(times.median.fixed(1)) ms")
    ]
  }

  private static func milliseconds(_ path: String, log: String) async throws -> Double {
    let start = Date().timeIntervalSince1970
    let end = try await Program.run(
      ["strace", "-f", "-qq", "--seccomp-bpf", "-ttt", "-e", "trace=pread64", "-o", log, path])
    let lines = (try? String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")) ?? []
    guard let time = entry(lines) else {
      throw BenchError("\(path): no direct read was seen: \(end.errors); apt-get install strace")
    }
    return (time - start) * 1000
  }

  /// When the first read of 3584 bytes was entered, in seconds. A call during which others are told takes two lines,
  /// and its arguments stand in the second:
  /// `PID TIME pread64(FD,  <unfinished ...>` and `PID TIME <... pread64 resumed>"DATA"..., 3584, OFFSET) = 3584`.
  private static func entry(_ lines: [Substring]) -> Double? {
    guard let end = lines.firstIndex(where: { $0.contains("pread64") && $0.contains(", 3584, ") }) else {
      return nil
    }
    var line = lines[end]
    if line.contains(" resumed>"), let pid = line.split(separator: " ").first {
      guard let start = lines[..<end].last(where: { $0.hasPrefix("\(pid) ") && $0.contains("pread64(") })
      else {
        return nil
      }
      line = start
    }
    return line.split(separator: " ").dropFirst().first.flatMap { Double($0) }
  }
}
