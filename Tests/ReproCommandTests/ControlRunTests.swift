import Foundation
import Repro
import TestHost
import Testing

/// The two controls, end to end: what must be lost is, what must not be is not.
@Suite(
  "repro run: controls", .serialized, .exclusive, .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
struct ControlRunTests {
  private static let positive = [
    "run", "control-remap", "--schedule", "staged", "--engine", "pread", "--memory", "anon", "--target",
    "held",
    "--trials", "3", "--seed", "7",
  ]
  private static let negative = [
    "run", "control-none", "--schedule", "staged", "--engine", "pread", "--memory", "anon", "--target",
    "held",
    "--trials", "3", "--seed", "7",
  ]

  private func events(_ end: StartedProgram.End) throws -> [Event] {
    try end.output.split(separator: "\n").map { try JSONDecoder().decode(Event.self, from: Data($0.utf8)) }
  }

  @Test("the positive control is corrupt, and the report says how")
  func corrupt() throws {
    let end = try StartedProgram.run(Self.positive)
    #expect(end.code == 1)
    #expect(end.errors == "")
    #expect(end.output.contains("lost read: 3584 bytes from byte 0 of the buffer, region io, first look"))
    #expect(end.output.contains("the page behind the address was replaced"))
    #expect(end.output.contains("CORRUPT: 1 corrupt; 3 exposures"))
  }

  @Test(
    "the negative control is clean", arguments: ["pread", "preadv2", "libaio", "io_uring", "io_uring-fixed"])
  func clean(engine: String) throws {
    let end = try StartedProgram.run(
      "run", "control-none", "--schedule", "staged", "--engine", engine, "--memory", "anon", "--target",
      "held",
      "--trials", "3")
    #expect(end.code == 0)
    #expect(end.output.contains("CLEAN: 1 clean; 3 exposures"))
  }

  @Test("run is the default command")
  func defaultCommand() throws {
    #expect(try StartedProgram.run(Array(Self.negative.dropFirst())).code == 0)
  }

  @Test("JSONL has each trial with its damage")
  func trials() throws {
    let end = try StartedProgram.run(Self.positive + ["--format", "jsonl"])
    #expect(end.code == 1)
    let trials = try events(end).compactMap { if case .trial(let trial) = $0 { trial } else { nil } }
    #expect(trials.count == 3)
    for trial in trials {
      #expect(trial.damage.map(\.kind) == [.lostRead])
      #expect(trial.frameBefore != nil && trial.frameAfter != trial.frameBefore)
      #expect(trial.timeline.count >= 6)
      #expect(trial.damage.first?.found.split(separator: " ").count == 16)
    }
  }

  /// The human report is made again from the JSONL of a second run with the same seed. Only what a
  /// second run changes may differ: times, page frames.
  @Test("JSONL carries all that the human report says")
  func complete() throws {
    let human = try StartedProgram.run(Self.positive).output
    var report = HumanReport(.default)
    let jsonl = try events(try StartedProgram.run(Self.positive + ["--format", "jsonl"]))
    let again = jsonl.flatMap { report.lines(for: $0) }.joined(separator: "\n") + "\n"
    #expect(masked(human) == masked(again))
    #expect(human.contains("page frame before 0x") && human.contains("µs"))
  }

  /// Lines without times, trials a second and page frames, and without the blanks that align them.
  private func masked(_ text: String) -> [String] {
    text.split(separator: "\n").map { line in
      String(line).replacing(/0x[0-9a-f]+/, with: "FRAME").replacing(/[0-9]+\.[0-9]+/, with: "TIME")
        .replacing(/TIME %\s+[0-9]+$/, with: "SPEED").replacing(/\s+/, with: " ")
    }
  }

  @Test(
    "--output gets the report, and standard output nothing", arguments: ["human", "ktap", "jsonl", "junit"])
  func output(format: String) throws {
    let folder = try TemporaryFolder()
    let end = try StartedProgram.run(Self.negative + ["--format", format, "--output", folder("report")])
    #expect(end.code == 0 && end.output == "" && end.errors == "")
    #expect(try !folder.read("report").isEmpty)
  }

  @Test("an --output that fills up is an error, not a clean run")
  func fullOutput() throws {
    let end = try StartedProgram.run(Self.negative + ["--output", "/dev/full"])
    #expect(end.code == 2)
    #expect(end.errorLines.count == 1)
    #expect(end.errors.contains("the report is incomplete") && end.errors.contains("No space left"))
  }

  @Test("a reader that goes away is an error, not a signal")
  func closedPipe() throws {
    let command = Self.negative.joined(separator: " ")
    let end = try StartedProgram(
      ["bash", "-c", "(\(StartedProgram.repro) \(command); echo code $? >&2) | true"]
    ).finish()
    #expect(end.errors.contains("code 2"))
    #expect(end.errors.contains("Broken pipe"))
  }

  @Test("the same seed gives the same events, but for times, frames and pids")
  func sameSeed() throws {
    let arguments = [
      "run", "control-*", "fork", "fork-child-stays", "--engine", "pread,preadv2,libaio,io_uring",
      "--schedule", "staged", "--trials", "3", "--seed", "0xfeed",
      "--format", "jsonl",
    ]
    let one = try events(try StartedProgram.run(arguments))
    let other = try events(try StartedProgram.run(arguments))
    #expect(one.count > 60)
    #expect(one.map(timeless) == other.map(timeless))
  }

  @Test("another seed gives other data")
  func otherSeed() throws {
    func found(_ seed: String) throws -> [String] {
      let end = try StartedProgram.run(Self.positive.dropLast() + [seed, "--format", "jsonl"])
      return try events(end).flatMap {
        if case .trial(let trial) = $0 { trial.damage.map(\.found) } else { [String]() }
      }
    }
    let (one, other) = (try found("1"), try found("2"))
    #expect(one.count == 3 && other.count == 3)
    #expect(Set(one).isDisjoint(with: other))
  }

  private func timeless(_ event: Event) -> Event {
    switch event {
    case .trial(var trial):
      trial.frameBefore = nil
      trial.frameAfter = nil
      for index in trial.timeline.indices {
        trial.timeline[index].at = 0
        trial.timeline[index].what = trial.timeline[index].what.replacing(/child [0-9]+/, with: "child")
      }
      return .trial(trial)
    case .result(var result):
      result.count.seconds = 0
      result.count.evidence = nil
      return .result(result)
    case .end(var end):
      end.seconds = 0
      return .end(end)
    case .run, .note, .control: return event
    }
  }
}
