import Glibc
import Testing

@testable import Repro

/// When a report's lines are written.
@Suite("Report writer")
struct ReportWriterTests {
  private static func trial(_ number: Int, _ timeline: [Mark]) throws -> Event {
    .trial(
      TrialRecord(
        case: try #require(CaseName("fork.pread.race")), trial: number, depth: 1, inFlight: 1,
        lost: [0], hazards: [], damage: [], offset: 0, length: 4096, timeline: timeline))
  }

  /// The numbers of the trials whose lines are in the pipe by now.
  private static func told(_ pipe: CInt) throws -> [Int] {
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(pipe, &bytes, bytes.count)
    return try String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: "\n").map {
      try #require(Int($0.split(separator: "\"trial\":")[1].prefix(while: \.isNumber)))
    }
  }

  @Test("brief trials wait for each other, and for nothing else")
  func batches() throws {
    var ends: [CInt] = [0, 0]
    try #require(pipe(&ends) == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
    defer { for end in ends { close(end) } }
    var writer: ReportWriter? = ReportWriter(JSONLinesReport(), output: ends[1], showsProgress: false)
    func full(_ number: Int) throws -> Event {
      try Self.trial(number, [Mark(at: 0, agent: "I/O thread", what: "pread")])
    }
    writer?.receive(try full(0))
    #expect(try Self.told(ends[0]) == [0])
    for number in 1...5 { writer?.receive(try Self.trial(number, [])) }
    let early = try Self.told(ends[0])
    writer?.receive(try full(6))
    #expect(try early + Self.told(ends[0]) == Array(1...6), "what waits is written before what does not")
    writer?.receive(try Self.trial(7, []))
    var later: [Int] = []
    for _ in 0..<500 where later.isEmpty {
      usleep(10_000)
      later = try Self.told(ends[0])
    }
    #expect(later == [7], "nothing that follows is waited for")
    writer?.receive(try Self.trial(8, []))
    writer = nil
    #expect(try Self.told(ends[0]) == [8])
  }
}
