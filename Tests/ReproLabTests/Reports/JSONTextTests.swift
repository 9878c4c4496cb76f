import Foundation
import Testing

@testable import Repro
@testable import ReproLab

/// What the Foundation-free encoder writes, Foundation's decoder must read back the same.
@Suite("JSON")
struct JSONTextTests {
  private func decode<Value: Decodable>(_ type: Value.Type = Value.self, _ text: String) throws -> Value {
    try JSONDecoder().decode(type, from: Data(text.utf8))
  }

  @Test(
    "every event comes back as it went, on one line", arguments: SampleRun.events + SampleRun.brokenEvents)
  func events(_ event: Event) throws {
    let line = JSONText.line(event)
    #expect(!line.contains { $0.isNewline })
    #expect(try decode(Event.self, line) == event)
  }

  @Test("Foundation's own encoding is read the same way", arguments: SampleRun.events)
  func foundation(_ event: Event) throws {
    #expect(try JSONDecoder().decode(Event.self, from: JSONEncoder().encode(event)) == event)
  }

  @Test("the kind comes first")
  func kind() {
    #expect(JSONText.line(Event.note(Note("x"))) == #"{"event":"note","text":"x"}"#)
  }

  @Test(
    "any text survives",
    arguments: [
      "", "plain", #"quotes " and \ and / and \u0041"#, "tab\tline\nreturn\rboth\r\n",
      "\u{0}\u{1}\u{1f}\u{7f}",
      "µs, naïve, 日本語, 👩‍👩‍👧, e\u{301}", "\u{2028}\u{2029}\u{feff}\u{10ffff}", "{\"event\":\"end\"}",
    ])
  func text(_ text: String) throws {
    let note = Note(text)
    let line = JSONText.line(Event.note(note))
    #expect(!line.utf8.contains { $0 < 0x20 }, "control characters are escaped")
    guard case .note(let back) = try decode(Event.self, line) else { throw Missing() }
    #expect(Array(back.text.unicodeScalars) == Array(text.unicodeScalars))
  }

  @Test("every scalar below 0x300 survives")
  func scalars() throws {
    let text = String(String.UnicodeScalarView((0..<0x300).compactMap(Unicode.Scalar.init)))
    let back = try decode(Note.self, JSONText.line(Note(text)))
    #expect(Array(back.text.unicodeScalars) == Array(text.unicodeScalars))
  }

  @Test("seeds that no double holds survive", arguments: [UInt64(0), 1 << 53 + 1, .max - 1, .max])
  func seeds(value: UInt64) throws {
    var start = SampleRun.start
    start.plan.seed = Seed(value)
    guard case .run(let back) = try decode(Event.self, JSONText.line(Event.run(start))) else {
      throw Missing()
    }
    #expect(back.plan.seed == Seed(value))
  }

  @Test("page frames and offsets survive at full width")
  func wideNumbers() throws {
    var record = SampleRun.loss
    record.frameBefore = .max
    record.offset = .min
    record.timeline = [Mark(at: .max, agent: "a", what: "w")]
    #expect(try decode(Event.self, JSONText.line(Event.trial(record))) == .trial(record))
  }

  @Test(
    "numbers come back to the last bit",
    arguments: [
      0, -0.0, 0.1, 1e-300, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 1.0 / 3, 123456789.125,
    ])
  func doubles(_ number: Double) throws {
    let end = RunEnd(verdict: .clean, seconds: number)
    #expect(try decode(RunEnd.self, JSONText.line(end)) == end)
  }

  @Test("numbers that JSON has not are null", arguments: [Double.nan, .infinity, -.infinity])
  func notANumber(_ number: Double) throws {
    let line = JSONText.line(["x": number])
    #expect(line == #"{"x":null}"#)
  }

  @Test("empty and nested containers keep their shape")
  func containers() throws {
    #expect(JSONText.line([[1, 2], [], [3]]) == "[[1,2],[],[3]]")
    #expect(JSONText.line([String: Int]()) == "{}")
    #expect(JSONText.line([Int]()) == "[]")
    #expect(JSONText.line([true, nil, false] as [Bool?]) == "[true,null,false]")
    struct Pair: Codable, Equatable { var a: [String: [Int]], b: String? }
    let pair = Pair(a: ["k": [1]], b: nil)
    #expect(try decode(Pair.self, JSONText.line(pair)) == pair)
  }

  @Test("a seed that is none is refused, not misread", arguments: [#""0xg""#, "12", "null", #""""#])
  func badSeed(text: String) {
    #expect(throws: DecodingError.self) { try decode(Plan.self, #"{"seed":\#(text)}"#) }
  }

  @Test("an unknown event is refused")
  func unknownEvent() {
    #expect(throws: DecodingError.self) { try decode(Event.self, #"{"event":"party"}"#) }
  }

  private struct Missing: Error {}
}
