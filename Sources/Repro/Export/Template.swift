/// Text with named places: `@name@` alone on a line takes any number of lines, indented as it is
/// (none at all removes the line); within a line it takes a word.
struct Template {
  private let lines: [Substring]

  init(_ text: String) { lines = text.split(separator: "\n", omittingEmptySubsequences: false) }

  /// The text with all places filled; two empty lines in a row become one.
  func filled(_ values: [String: String]) -> String {
    var result: [String] = []
    for line in lines {
      let indentation = String(line.prefix { $0 == "\t" })
      let parts = line.split(separator: "@", omittingEmptySubsequences: false)
      if parts.count == 3, String(parts[0]) == indentation, parts[2].isEmpty {
        let value = value(parts[1], values)
        if value.isEmpty { continue }
        result += value.split(separator: "\n", omittingEmptySubsequences: false).map {
          $0.isEmpty ? "" : indentation + $0
        }
      } else {
        result.append(
          parts.enumerated().map { $0 % 2 == 0 ? String($1) : value($1, values) }.joined())
      }
    }
    let kept = result.indices.filter { $0 == 0 || !result[$0].isEmpty || !result[$0 - 1].isEmpty }
    return kept.map { result[$0] }.joined(separator: "\n")
  }

  private func value(_ name: Substring, _ values: [String: String]) -> String {
    guard let value = values[String(name)] else { fatalError("the template's place @\(name)@ has no value") }
    return value
  }
}
