import ArgumentParser
import Foundation
import Repro
import ReproLab

/// A report of a million trials: written as a run writes it, and read as `repro report` reads it.
enum Reports {
  static let subject = Subject(
    "report",
    "the record of a real staged trial, written so often by `ReportWriter` as JSON lines to a file, and read back "
      + "by `StoredReport` for its losses; each in a process of its own, whose peak memory is VmHWM."
  ) { smoke in
    let count = smoke ? 100 : 1_000_000
    let scratch = try Scratch(in: "/var/tmp")
    let sample = scratch("sample.jsonl")
    _ = try await Program.run(
      [
        Program.repro, "run", "fork", "--schedule", "staged", "--engine", "pread", "--memory", "anon",
        "--trials",
      ]
        + ["1", "--format", "jsonl", "--output", sample])
    let bench = "\(Program.folder)/bench"
    let write = try await figures([bench, "write-report", sample, scratch("all.jsonl"), "\(count)"])
    let read = try await figures([bench, "read-report", scratch("all.jsonl")])
    let bytes = try FileManager.default.attributesOfItem(atPath: scratch("all.jsonl"))[.size] as? Int ?? 0
    return [
      Row(
        what: "write a report of \(count) trials",
        figure: "\(write.seconds.fixed(1)) s, \(write.memory) MB peak",
        beside: "\(bytes / 1_000_000) MB"),
      Row(what: "read it, losses only", figure: "\(read.seconds.fixed(1)) s, \(read.memory) MB peak"),
    ]
  }

  private static func figures(_ command: [String]) async throws -> (seconds: Double, memory: Int) {
    let end = try await Program.run(command)
    let words = end.output.split(whereSeparator: \.isWhitespace)
    guard end.code == 0, words.count == 2, let seconds = Double(words[0]), let memory = Int(words[1]) else {
      throw BenchError("\(command.joined(separator: " ")): \(end.errors)")
    }
    return (seconds, memory)
  }

  /// Runs `work` and prints its seconds and this process's peak memory in MB.
  fileprivate static func tell(_ work: () throws -> Void) throws {
    let start = ContinuousClock.now
    try work()
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    let kilobytes = Int(line.split(separator: " ").dropFirst().first ?? "") ?? 0
    print(seconds, kilobytes / 1000)
  }
}

/// The half that writes, as a process of its own.
struct WriteReport: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "write-report", shouldDisplay: false)

  @Argument var sample: String
  @Argument var path: String
  @Argument var count: Int

  func run() throws {
    let events = Array(try StoredReport(sample).runs.joined())
    let output = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard output >= 0 else { throw BenchError("\(path): \(String(cString: strerror(errno)))") }
    defer { close(output) }
    try Reports.tell {
      let writer = ReportWriter(JSONLinesReport(), output: output, showsProgress: false)
      for event in events {
        guard case .trial(var trial) = event else {
          writer.receive(event)
          continue
        }
        for number in 0..<count {
          trial.trial = number
          writer.receive(.trial(trial))
        }
      }
      if let failure = writer.failure { throw BenchError("\(path): \(failure)") }
    }
  }
}

/// The half that reads.
struct ReadReport: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "read-report", shouldDisplay: false)

  @Argument var path: String

  func run() throws {
    try Reports.tell {
      let report = try StoredReport(path, .losses)
      if let torn = report.torn { throw BenchError(torn) }
    }
  }
}
