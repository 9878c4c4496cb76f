import Foundation
import Repro
import TestHost
import Testing

/// A soak that is stopped or killed goes on where it was.
@Suite("repro soak", .serialized, .exclusive, .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
struct SoakRunTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var words: [String] {
    [
      "soak", "fork", "--memory", "anon", "--engine", "pread", "--target", "held", "--schedule", "staged",
      "--depth", "16", "--time", "0.2", "--output", folder("soak.jsonl"),
    ]
  }

  /// The events of the file's whole lines.
  private func events() throws -> [Event] {
    let text = try folder.read("soak.jsonl")
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    return try lines.map { try JSONDecoder().decode(Event.self, from: Data($0.utf8)) }
  }

  private func counts(_ events: [Event]) -> [CaseCount] {
    events.compactMap { if case .result(let result) = $0 { result.count } else { nil } }
  }

  /// What a merge makes of the file.
  private func merged() throws -> CaseCount {
    let end = try StartedProgram.run(["merge", folder("soak.jsonl"), "-o", folder("merged.jsonl")])
    #expect(end.code == 0, "\(end.errors)")
    let lines = try folder.read("merged.jsonl").split(separator: "\n")
    let events = try lines.map { try JSONDecoder().decode(Event.self, from: Data($0.utf8)) }
    return try #require(counts(events).first)
  }

  @Test("goes on exactly after a kill at any moment", arguments: 1...3)
  func killed(number: Int) throws {
    let soak = try StartedProgram(repro: words)
    usleep(.random(in: 300_000...1_800_000))
    kill(soak.pid, SIGKILL)
    _ = try soak.finish()
    #expect(soak.remains(after: 10).isEmpty)
    let before = counts(try events())
    let end = try StartedProgram.run(words + ["--resume", "--for", "2.5"])
    #expect(end.code == 0, "\(end.output)\(end.errors)")
    let after = try events()
    let all = counts(after)
    // What was whole stays as it was; then the round that was cut off, of which nothing counts; then new ones.
    #expect(Array(all.prefix(before.count)) == before)
    #expect(all.count > before.count)
    var sum = (trials: 0, exposures: 0)
    for count in all { sum = (sum.trials + count.trials, sum.exposures + count.exposures) }
    let merged = try merged()
    #expect(merged.trials == sum.trials && merged.exposures == sum.exposures)
    #expect(end.output.contains("\(merged.exposures) exposures"), "\(end.output)")
    let seeds = after.compactMap { if case .run(let start) = $0 { start.plan.seed.value } else { nil } }
    #expect(Set(seeds).count == seeds.count, "each round draws for itself")
  }

  @Test("stopped by SIGINT exits so, with a checkpoint, and goes on")
  func interrupted() throws {
    let soak = try StartedProgram(repro: words)
    usleep(1_200_000)
    kill(soak.pid, SIGINT)
    let stopped = try soak.finish()
    #expect(stopped.code == 130, "\(stopped.errors)")
    #expect(stopped.output.contains("stopped by signal 2"))
    let before = try events()
    guard case .end? = before.last else {
      Issue.record("no checkpoint")
      return
    }
    let trials = counts(before).reduce(0) { $0 + $1.trials }
    #expect(try merged().trials == trials)
    let end = try StartedProgram.run(words + ["--resume", "--hazards", "\(trials + 1)"])
    #expect(end.code == 0, "\(end.errors)")
    #expect(try merged().exposedTrials > trials)
  }

  @Test("ends with what it was asked for, or says that the time was too short")
  func goals() throws {
    let few = try StartedProgram.run(words + ["--exposures", "1000000000", "--for", "0.5"])
    #expect(few.code == 3 && few.output.contains("INCONCLUSIVE"), "\(few.output)\(few.errors)")
    let enough = try StartedProgram.run(words + ["--resume", "--exposures", "16"])
    #expect(enough.code == 0, "\(enough.output)\(enough.errors)")
  }

  @Test("keeps losses, stops after as many as asked, and is corrupt")
  func corrupt() throws {
    let losing = words.map { $0 == "fork" ? "control-remap" : $0 } + ["--stop-after-losses", "3"]
    let end = try StartedProgram.run(losing)
    #expect(end.code == 1 && end.output.contains("CORRUPT"), "\(end.errors)")
    let lost = try events().filter { if case .trial(let trial) = $0 { trial.isLoss } else { false } }
    #expect(lost.count == 3)
  }

  @Test("does not go on with another plan, or over a file that is there")
  func others() throws {
    #expect(try StartedProgram.run(words + ["--for", "0.3"]).code == 0)
    let there = try StartedProgram.run(words + ["--for", "0.3"])
    #expect(there.code == 2 && there.errors.contains("--resume goes on with it"))
    let other = try StartedProgram.run(words + ["--resume", "--trials", "7"])
    #expect(other.code == 2 && other.errors.contains("another plan"), "\(other.errors)")
  }
}
