/// Text in record-jar form: records of `name: value` lines with blank lines between them.
///
/// A line that starts with white space continues the value above it, a line that starts with `#` is a
/// comment. None may come twice in a record, and their order does not matter, but for those that may repeat.
package struct RecordJar {
  /// A field's text and the line it starts on.
  package struct Field {
    package let line: Int
    package fileprivate(set) var value: String
  }

  /// One record.
  package struct Record {
    /// The line of its first field.
    package let line: Int
    /// The fields by name, without those that may repeat.
    package fileprivate(set) var fields: [String: Field] = [:]
    /// Those that may repeat, in the order of the text.
    package fileprivate(set) var repeated: [(name: String, field: Field)] = []
  }

  /// The records, in the order of the text.
  package private(set) var records: [Record] = []

  /// Reads a text.
  /// - Parameter repeatable: names of fields that may come more than once.
  package init(parsing text: String, repeatable: Set<String> = []) throws(CatalogueError) {
    var current: Record?
    var open: String?

    // By bytes: to look for the borders of characters takes ten times as long as all the rest.
    let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, bytes) in lines.enumerated() {
      let (line, whole) = (index + 1, Substring(bytes))
      let content = whole.trimmed
      if content.isEmpty {
        if let current { records.append(current) }
        (current, open) = (nil, nil)
      } else if whole.first == "#" {
        continue
      } else if whole.first?.isWhitespace == true {
        guard let name = open else {
          throw CatalogueError(
            line: line, problem: "a continuation without a field above it",
            remedy: "start the line with 'name: value', or move it below its field")
        }
        if repeatable.contains(name), let last = current?.repeated.indices.last {
          current?.repeated[last].field.value.append(" \(content)")
        } else {
          current?.fields[name]?.value.append(" \(content)")
        }
      } else {
        let (name, value) = try Self.field(content, line: line)
        var record = current ?? Record(line: line)
        if let earlier = record.fields[name] {
          throw CatalogueError(
            line: line, problem: "field '\(name)' is already on line \(earlier.line)",
            remedy: "merge the two, or put a blank line before the next record")
        }
        if repeatable.contains(name) {
          record.repeated.append((name, Field(line: line, value: value)))
        } else {
          record.fields[name] = Field(line: line, value: value)
        }
        (current, open) = (record, name)
      }
    }
    if let current { records.append(current) }
  }

  private static func field(
    _ content: Substring, line: Int
  ) throws(CatalogueError) -> (name: String, value: String) {
    guard let colon = content.firstIndex(of: ":"), colon > content.startIndex,
      content[..<colon].allSatisfy({ $0.isLetter || $0 == "-" })
    else {
      throw CatalogueError(
        line: line, problem: "'\(content)' is not a field",
        remedy: "write 'name: value', or indent the line to continue the value above")
    }
    return (String(content[..<colon]), String(content[content.index(after: colon)...].trimmed))
  }
}

extension StringProtocol {
  /// The text without white space at either end.
  var trimmed: SubSequence {
    let start = drop(while: \.isWhitespace)
    guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return start }
    return start[...last]
  }

  /// The non-empty parts between separators, without the white space around them.
  func parts(_ separator: Character) -> [String] {
    split(separator: separator).map { String($0.trimmed) }.filter { !$0.isEmpty }
  }
}
