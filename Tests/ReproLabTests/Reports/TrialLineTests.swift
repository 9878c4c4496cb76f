import Foundation
import Testing

@testable import Repro
@testable import ReproLab

@Suite("Lines of trials")
struct TrialLineTests {
  private static func isJSON(_ text: String) -> Bool {
    Array(text.utf8).withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      return scanner.value() && scanner.isAtEnd
    }
  }

  /// What JSON is must not be our opinion: Foundation's reader says the same.
  @Test(
    "are JSON where Foundation says so",
    arguments: [
      "0", "-0", "-1.5e+10", "1E9", "01", "-", "1.", ".5", "1e", "+1", "\"\"", "\"a\\n\\u00e9\\\"\"",
      "\"\\x\"",
      "\"\\u12g4\"", "\"\\u12\"", "\"open", "\"tab\there\"", "true", "false", "null", "nul", "truee", "[]",
      "[1,2]",
      "[,1]", "[1 2]", "[[[[]]]]", "[", "]", "{}", "{\"a\":1}", "{a:1}", "{\"a\"}",
      "{\"a\":{\"b\":[null]}} ", " [ 1 , 2 ] ", "[1]]", "", " ", "é",
    ])
  func json(text: String) {
    let isJSON =
      (try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)) != nil
    #expect(Self.isJSON(text) == isJSON, "\(text)")
  }

  @Test("are no JSON with a comma at the end, which Foundation lets pass", arguments: ["[1,]", "{\"a\":1,}"])
  func comma(text: String) { #expect(!Self.isJSON(text)) }

  @Test("tell their case, exposures and losses")
  func values() throws {
    for name in ShardReports.cases {
      for trial in ShardReports.trials(name, .max) {
        var line = JSONText.line(Event.trial(trial))
        try line.withUTF8 { bytes in
          let read = try #require(TrialLine(UnsafeRawBufferPointer(bytes)))
          #expect(String(decoding: try #require(read.name), as: UTF8.self) == "\(name)")
          #expect(read.inFlight == trial.inFlight && read.lost == trial.lost.count)
        }
      }
    }
  }

  @Test("are none when a byte is gone, or they are of another event")
  func cut() {
    let line = Array(JSONText.line(Event.trial(SampleRun.loss)).utf8)
    for length in 0..<line.count {
      line[..<length].withUnsafeBytes { #expect(TrialLine($0) == nil, "cut after \(length)") }
    }
    Array(JSONText.line(Event.run(SampleRun.start)).utf8).withUnsafeBytes { #expect(TrialLine($0) == nil) }
  }
}
