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

  /// Lines that are in the pipe by now.
  private static func lines(_ pipe: CInt) -> Int {
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(pipe, &bytes, bytes.count)
    return bytes.prefix(max(0, count)).count { $0 == UInt8(ascii: "\n") }
  }

  @Test("brief trials wait for each other, and for nothing else")
  func batches() throws {
    var ends: [CInt] = [0, 0]
    try #require(pipe(&ends) == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
    defer { for end in ends { close(end) } }
    var writer: ReportWriter? = ReportWriter(JSONLinesReport(), output: ends[1], showsProgress: false)
    let full = try Self.trial(0, [Mark(at: 0, agent: "I/O thread", what: "pread")])
    writer?.receive(full)
    #expect(Self.lines(ends[0]) == 1)
    for number in 1...5 { writer?.receive(try Self.trial(number, [])) }
    let early = Self.lines(ends[0])
    writer?.receive(full)
    #expect(early + Self.lines(ends[0]) == 6, "what waits is written before what does not")
    usleep(150_000)
    writer?.receive(try Self.trial(7, []))
    #expect(Self.lines(ends[0]) == 1, "the last one was long ago")
    writer?.receive(try Self.trial(8, []))
    writer = nil
    #expect(Self.lines(ends[0]) == 1)
  }
}
