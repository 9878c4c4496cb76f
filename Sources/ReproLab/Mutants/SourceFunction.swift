import Foundation
import Repro

/// The definition of a C function in a source file, found by its name, and an edit of it.
struct SourceFunction {
  /// Name, for errors.
  let name: String
  /// Where in the file its definitions stand: usually one; more where the preprocessor chooses.
  let ranges: [Range<String.Index>]

  /// Finds the definitions: in the kernel's style they begin in the first column, and so does the brace that ends
  /// them. The return type may stand on a line of its own.
  init?(_ name: String, in source: String) {
    self.name = name
    var ranges: [Range<String.Index>] = []
    var from = source.startIndex
    while let found = source.range(of: name + "(", range: from..<source.endIndex) {
      from = found.upperBound
      let lineStart =
        source[..<found.lowerBound].lastIndex(of: "\n").map(source.index(after:)) ?? source.startIndex
      let before =
        found.lowerBound == source.startIndex ? nil : source[source.index(before: found.lowerBound)]
      let isWord = before?.isLetter == true || before?.isNumber == true || before == "_"
      guard let first = source[lineStart...].first, first.isLetter || first == "_", !isWord,
        let brace = source.range(of: "\n{", range: found.upperBound..<source.endIndex),
        let end = source.range(of: "\n}", range: brace.upperBound..<source.endIndex),
        !source[found.upperBound..<brace.lowerBound].contains(";")
      else { continue }
      ranges.append(lineStart..<end.upperBound)
      from = end.upperBound
    }
    if ranges.isEmpty { return nil }
    self.ranges = ranges
  }

  /// The text of the definitions.
  func text(in source: String) -> String { ranges.map { String(source[$0]) }.joined(separator: "\n") }

  /// The places where `pattern` stands: literally, but for blanks, which stand for any white space or none at
  /// the edge of punctuation.
  func matches(_ pattern: String, in source: String) throws -> [Range<String.Index>] {
    let words = pattern.split(whereSeparator: \.isWhitespace).map {
      NSRegularExpression.escapedPattern(for: String($0))
    }
    let expression = try NSRegularExpression(pattern: words.joined(separator: "\\s+"))
    return ranges.flatMap { range in
      expression.matches(in: source, range: NSRange(range, in: source)).compactMap {
        Range($0.range, in: source)
      }
    }
  }
}

extension [Mutation.Edit] {
  /// Applies edits to the text of one file.
  /// - Throws: LabError that names the edit which does not match exactly once.
  func applied(to source: String, of mutation: String) throws -> String {
    var text = source
    for edit in self {
      let place = "\(mutation): \(edit.file), \(edit.function)()"
      guard let function = SourceFunction(edit.function, in: text) else {
        throw LabError("\(place): there is no such function", remedy: "see what it is called in this source")
      }
      let found = try function.matches(edit.find, in: text)
      guard found.count == 1 else {
        throw LabError(
          "\(place): '\(edit.find)' stands there \(found.count) times, not once",
          remedy: "give more or less of it, as this source has it")
      }
      let match = String(text[found[0]])
      text.replaceSubrange(found[0], with: edit.replace.replacingOccurrences(of: "$0", with: match))
    }
    return text
  }
}

/// A hash of text that finds changes and accidents, not forgers (FNV-1a, 64 bits, as the seal has it).
enum TextHash {
  static func of(_ texts: [String]) -> String {
    let value = texts.joined(separator: "\u{0}").utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3
    }
    return String(format: "%016llx", value)
  }
}
