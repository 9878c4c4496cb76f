import Foundation
import Repro
import TestHost
import Testing

/// Runs by a user without any right: what can't be done is skipped with a reason.
@Suite(
  "repro run: without privileges", .serialized, .exclusive,
  .enabled(if: Machine.canHold, "needs root to become somebody else"))
struct UnprivilegedTests {
  private static let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]

  /// A copy of the command that everybody may read.
  private let folder: TemporaryFolder
  private let repro: String

  init() throws {
    folder = try TemporaryFolder()
    repro = folder("repro")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
    try ProgramFile.copy(StartedProgram.repro, to: repro)
  }

  private func run(_ arguments: String...) throws -> StartedProgram.End {
    try StartedProgram(Self.nobody + [repro] + arguments).finish()
  }

  private func results(_ end: StartedProgram.End) throws -> [CaseResult] {
    try end.output.split(separator: "\n").compactMap { line in
      let event = try JSONDecoder().decode(Event.self, from: Data(line.utf8))
      if case .result(let result) = event { return result }
      return nil
    }
  }

  @Test("without the right to /dev/fuse staged cases are skipped, with the remedy")
  func staged() throws {
    let end = try run("run", "--schedule", "staged", "--engine", "pread")
    #expect(end.code == 4)
    #expect(end.errors == "")
    #expect(end.output.contains("run as root, or allow /dev/fuse"))
    #expect(end.output.contains("SKIPPED: "))
  }

  @Test("every case of a race is judged or skipped with a reason, and none is an error")
  func race() throws {
    let end = try run("run", "--schedule", "race", "--engine", "pread", "--trials", "20", "--format", "jsonl")
    #expect(end.signal == nil)
    #expect(end.errors == "")
    #expect([0, 1, 3, 4].contains(end.code))
    let results = try results(end)
    #expect(!results.isEmpty)
    for result in results {
      #expect(result.verdict != .error, "\(result)")
      if result.verdict == .skipped { #expect(result.reason?.isEmpty == false, "\(result.case)") }
    }
  }

  @Test("what changes the host is skipped")
  func settings() throws {
    let end = try run(
      "run", "ksm", "--schedule", "staged", "--engine", "pread", "--memory", "anon", "--target", "held",
      "--format", "jsonl")
    let results = try results(end)
    #expect(results.map(\.verdict) == [.skipped])
    #expect(results.first?.count.trials == 0)
  }

  @Test("the other commands need no right", arguments: ["list", "probe"])
  func harmless(command: String) throws {
    let end = try run(command)
    #expect(end.code == 0)
    #expect(end.errors == "")
    #expect(!end.output.isEmpty)
  }

  /// In a mount namespace of its own, /dev/fuse is another node that everybody may open.
  @Test("with /dev/fuse for everybody the held target works in a user namespace")
  func userNamespace() throws {
    let node = folder("fuse")
    let script = """
      mknod \(node) c 10 229 && chmod 666 \(node) && mount --bind \(node) /dev/fuse \
      && exec \(Self.nobody.joined(separator: " ")) \(repro) run fork control-remap control-none \
      --schedule staged --engine pread --memory anon --target held --trials 3 --format jsonl
      """
    let end = try StartedProgram(["unshare", "-m", "sh", "-c", script]).finish()
    let results = try results(end)
    let reasons = results.compactMap(\.reason).filter { $0.contains("no held target") }
    if let reason = reasons.first {
      withKnownIssue("no user namespaces here") { Issue.record("\(reason)") }
      return
    }
    #expect(end.signal == nil)
    #expect(end.errors == "")
    #expect(end.code == 1, "the positive control")
    #expect(results.map(\.case.scenario) == ["control-remap", "control-none", "fork"])
    #expect(results.map(\.count.exposures) == [3, 3, 3])
    #expect(results.map(\.verdict).prefix(2) == [.corrupt, .clean])
    #expect(results.allSatisfy { $0.verdict != .error && $0.verdict != .skipped })
  }
}
