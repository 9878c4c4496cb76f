import Glibc

/// Colours of verdicts in text for people: on terminals only, and not where NO_COLOR is set (no-color.org).
struct TerminalColour {
  /// Whether text that goes to `descriptor` may be coloured.
  static func suits(_ descriptor: CInt) -> Bool {
    func variable(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }
    return isatty(descriptor) == 1 && variable("NO_COLOR").isEmpty && variable("TERM") != "dumb"
  }

  private static let codes = [
    "CORRUPT": "1;31", "ERROR": "1;31", "LOSS": "1;31", "clean": "32", "CLEAN": "32", "inconclusive": "33",
    "INCONCLUSIVE": "33", "skipped": "2", "SKIPPED": "2",
  ]

  /// The line with its verdicts in colour; nothing else of it changes.
  static func paint(_ line: String) -> String {
    var painted = ""
    var word = ""
    func flush() {
      painted += codes[word].map { "\u{1b}[\($0)m\(word)\u{1b}[0m" } ?? word
      word = ""
    }
    for scalar in line.unicodeScalars {
      if scalar.properties.isAlphabetic || scalar == "_" || scalar == "-" {
        word.unicodeScalars.append(scalar)
      } else {
        flush()
        painted.unicodeScalars.append(scalar)
      }
    }
    flush()
    return painted
  }
}
