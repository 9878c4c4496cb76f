import Foundation
import Synchronization
import TestHost

@testable import Repro
@testable import ReproLab

/// A QEMU that plays back what guests said: a console and result lines for each boot.
final class FakeGuest: Sendable {
  /// One boot.
  struct Boot {
    var console: String
    var lines: [String] = []
    /// What QEMU says of itself, and what it ends with.
    var messages = ""
    var status = 0
  }

  private let folder: ScratchFolder

  /// - Parameters:
  ///   - crossing: a path of which guests that run at the same time make one with `-crowded` at its end.
  ///   - patience: how long each waits there for another, tenths of a second.
  ///   - payload: the compressed kernel in its image.
  init(_ boots: [Boot], crossing: String? = nil, patience: Int = 3, payload: [UInt8] = []) throws {
    folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    let script = """
      #!/bin/sh
      cd \(folder.path)
      echo boot >> boots
      echo "$*" >> arguments
      n=$(wc -l < boots)
      crossing='\(crossing ?? "")'
      if [ -n "$crossing" ]; then
        mkdir "$crossing" || touch "$crossing-crowded"
        for tenth in $(seq \(patience)); do [ -e "$crossing-crowded" ] || sleep 0.1; done
      fi
      [ -f console-$n ] || exit 99
      cat console-$n
      # The results' port is standard input, open for writing.
      cat lines-$n >&0
      cat messages-$n >&2
      [ -z "$crossing" ] || rmdir "$crossing"
      exit $(cat status-$n)
      """
    try ProgramFile.write(script, to: folder.appending("qemu"))
    for (index, boot) in boots.enumerated() {
      try write(boot.console, "console-\(index + 1)")
      try write(boot.lines.map { $0 + "\n" }.joined(), "lines-\(index + 1)")
      try write(boot.messages, "messages-\(index + 1)")
      try write("\(boot.status)", "status-\(index + 1)")
    }
    try KernelImageTests.image(payload: payload).write(to: URL(filePath: folder.appending("bzImage")))
    try Data(FakeELF.executable(interpreter: false)).write(to: URL(filePath: folder.appending("init")))
  }

  deinit { folder.remove() }

  private func write(_ text: String, _ name: String) throws {
    try text.write(toFile: folder.appending(name), atomically: true, encoding: .utf8)
  }

  /// How often it was started.
  var boots: Int {
    let text = try? String(contentsOfFile: folder.appending("boots"), encoding: .utf8)
    return text?.split(separator: "\n").count ?? 0
  }

  /// What it was started with, all boots.
  var arguments: String {
    (try? String(contentsOfFile: folder.appending("arguments"), encoding: .utf8)) ?? ""
  }

  /// A session on it.
  func session(_ plan: Plan = Plan(Selection(scenarios: ["fork"]), seed: Seed(1))) throws -> GuestSession {
    var session = GuestSession(
      kernel: try Kernel(image: folder.appending("bzImage")), plan: plan, exitCodes: .default,
      oneShot: folder.appending("init"))
    session.qemu = folder.appending("qemu")
    return session
  }

  /// Runs a session to its end.
  func run() async throws -> (outcome: GuestSession.Outcome, events: [Event]) {
    let events = Mutex<[Event]>([])
    let outcome = try await session().run { event in events.withLock { $0.append(event) } }
    return (outcome, events.withLock { $0 })
  }

  /// A console recorded from a real guest.
  static func console(_ name: String) throws -> String {
    let root = URL(filePath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    return try String(contentsOf: root.appending(path: "fixtures/consoles/\(name).txt"), encoding: .utf8)
  }

  /// A boot that gives one clean verdict and its final status.
  static func clean() throws -> Boot {
    let result = FakeOutcome.result("fork", .clean)
    let events: [Event] = [
      .run(FakeOutcome.start("6.12.117", [result.case])), .result(result),
      .end(RunEnd(verdict: .clean, seconds: 1)),
    ]
    return Boot(
      console: try console("finished-6.12"),
      lines: events.map { JSONText.line($0) } + [#"{"event":"exit","status":0}"#])
  }
}
