import Foundation
import Repro
import TestHost
import Testing

private let isAsked = ProcessInfo.processInfo.environment["REPRO_SLURM"] != nil

/// A fleet of Slurm's, on one node that is started for the test and gone after it.
@Suite(
  "repro fleet plan for Slurm", .serialized, .exclusive,
  .enabled(if: Machine.canHold, "needs root and /dev/fuse"),
  .enabled(if: isAsked, "REPRO_SLURM is set by ./run.sh fleet-test"))
struct SlurmRunTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let node = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../slurm-node").standardized.path

  /// Writes the folder of a fleet.
  private func plan(_ shards: Int, _ words: [String]) throws {
    let end = try StartedProgram.run(
      [
        "fleet", "plan", "--format", "slurm", "--shards", "\(shards)", "--output", folder("fleet"),
        "--one-shot", StartedProgram.built("oneshot"), "--seed", "11",
      ] + words)
    try #require(end.code == 0, "\(end.errors)")
  }

  /// Runs a script on the node.
  private func onNode(_ script: String) throws -> StartedProgram.End {
    let program = try StartedProgram(
      [Self.node, "/bin/sh", "-c", script],
      additions: ["REPRO": StartedProgram.repro])
    let end = try program.finish(within: 400)
    #expect(program.remains(after: 5).isEmpty)
    return end
  }

  private func results(_ name: String) throws -> [CaseResult] {
    try folder.read(name).split(separator: "\n").compactMap { line in
      guard case .result(let result) = try JSONDecoder().decode(Event.self, from: Data(line.utf8)) else {
        return nil
      }
      return result
    }
  }

  @Test("eight shards of the staged suite come to what one run does")
  func whole() throws {
    let words = ["--schedule", "staged", "--trials", "5"]
    try plan(8, words)
    let end = try onNode("\(folder("fleet/submit")) --wait")
    let alone = try StartedProgram.run(
      ["run", "--seed", "11", "--format", "jsonl", "--output", folder("alone.jsonl")] + words)
    #expect(end.code == alone.code, "\(end.output)\(end.errors)")
    let (merged, single) = (try results("fleet/merged.jsonl"), try results("alone.jsonl"))
    #expect(merged.map(\.case) == single.map(\.case))
    for (one, other) in zip(merged, single) {
      #expect(one.verdict == other.verdict, "\(one.case): \(one.reason ?? "") \(other.reason ?? "")")
      #expect(one.count.trials == other.count.trials, "\(one.case)")
    }
    #expect(try folder.read("fleet/merged.txt").contains("made of 8 runs"))
  }

  /// How a shard may end: all that is called so in the node's namespace is killed, or Slurm cancels the task.
  private static let ends = [
    ("kill -KILL $(pidof repro-oneshot)", "was cut off"), ("scancel \"$task\"", "was stopped by signal 15"),
  ]

  @Test("a shard that is killed makes the whole an error", arguments: ends)
  func killed(end: String, fault: String) throws {
    try plan(
      2,
      [
        "control-none", "fork", "--schedule", "staged", "--engine", "pread", "--memory", "anon", "--target",
        "held", "--time", "4",
      ])
    let ended = try onNode(
      """
      \(folder("fleet/submit")) --wait & merge=$!
      until task=$(squeue -h -r -n repro -t RUNNING -o %i | head -n 1); [ -n "$task" ]; do sleep 0.1; done
      until [ -s "\(folder("fleet/reports"))/shard-${task#*_}.jsonl" ]; do sleep 0.1; done
      \(end)
      wait $merge
      """)
    #expect(ended.code == 2, "\(ended.output)\(ended.errors)")
    let text = try folder.read("fleet/merged.txt")
    #expect(text.contains("ERROR") && text.contains(fault), "\(text)")
    #expect(!text.contains("CLEAN:"))
  }

  @Test("a shard that never ran makes the whole an error")
  func absent() throws {
    try plan(
      2,
      [
        "control-none", "fork", "--schedule", "staged", "--engine", "pread", "--memory", "anon", "--target",
        "held",
      ])
    let script = try folder.read("fleet/shards.sbatch").replacing(
      "i=$SLURM_ARRAY_TASK_ID", with: "i=$SLURM_ARRAY_TASK_ID; [ $i = 1 ] || exit 0")
    try folder.write(script, to: "fleet/shards.sbatch")
    let end = try onNode("\(folder("fleet/submit")) --wait")
    #expect(end.code == 2)
    #expect(try folder.read("fleet/merged.txt").contains("no report there"))
  }
}
