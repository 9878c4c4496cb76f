import Foundation
import Repro
import TestHost
import Testing

@Suite("What forked children get of a worker", .exclusive, .enabled(if: Machine.isRoot && Machine.canHold))
struct HiddenMemoryTests {
  private static let race = [
    "run", "fork", "--schedule", "race", "--engine", "pread", "--memory", "anon", "--format", "jsonl",
  ]

  /// The flags of smaps (proc_pid_smaps(5)) of a worker's mappings in the midst of its trials.
  private func flagsAmidTrials() throws -> [(mapping: Substring, flags: [Substring])] {
    let run = try StartedProgram(repro: Self.race + ["--trials", "100000", "--time", "3"])
    let worker = try #require(run.startedWorker())
    var seen: [(mapping: Substring, flags: [Substring])] = []
    while run.isRunning {
      // In pieces: one read(2) gives a part of it.
      guard let file = FileHandle(forReadingAtPath: "/proc/\(worker)/smaps"),
        let bytes = try? file.readToEnd(), let text = String(data: bytes, encoding: .utf8)
      else { break }
      var mapping: Substring = ""
      var now: [(mapping: Substring, flags: [Substring])] = []
      for line in text.split(separator: "\n") {
        let words = line.split(separator: " ", omittingEmptySubsequences: true)
        if words[0] == "VmFlags:" { now.append((mapping, Array(words.dropFirst()))) }
        if !words[0].hasSuffix(":") { mapping = line }
      }
      seen = now
      // A case's threads are there once the controls are over.
      if now.contains(where: { !$0.mapping.contains("[heap]") && $0.flags.contains("dc") }) { break }
      usleep(10_000)
    }
    #expect(try run.finish().code == 0)
    return seen
  }

  @Test("neither its heap nor its threads' stacks")
  func hidden() throws {
    let mappings = try flagsAmidTrials()
    let heap = mappings.filter { $0.mapping.hasSuffix("[heap]") }
    #expect(!heap.isEmpty && heap.allSatisfy { $0.flags.contains("dc") }, "\(heap)")
    #expect(mappings.contains { !$0.mapping.contains("[") && $0.flags.contains("dc") })
    // On these a child is born, and here its code is.
    for name in ["[stack]", "/repro"] {
      #expect(mappings.contains { $0.mapping.hasSuffix(name) })
      #expect(mappings.allSatisfy { !$0.mapping.hasSuffix(name) || !$0.flags.contains("dc") })
    }
  }
}
