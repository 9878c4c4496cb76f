/// A reader of KTAP version 1 (Documentation/dev-tools/ktap.rst), as strict as a result collector
/// could be: subtests are indented by two, plans come up front and must hold.
struct KTAPDocument {
  /// One result line.
  struct Test {
    var isOK: Bool
    var name: String
    var skip: String?
    var subtests: [Test]
  }

  /// What is wrong with a report.
  struct Malformed: Error { var reason: String }

  var tests: [Test]
  var bailOut: String?
  var totals: [String: Int] = [:]

  init(_ text: String) throws {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard lines.popLast() == "" else { throw Malformed(reason: "no line end at the end") }
    var reader = Reader(lines: lines)
    tests = try reader.document(indent: "")
    if reader.next < lines.count { throw Malformed(reason: "unread: \(lines[reader.next])") }
    bailOut = reader.bailOut
    for part in reader.totals.split(separator: " ") {
      let pair = part.split(separator: ":")
      totals[String(pair[0])] = Int(pair[1])
    }
  }

  private struct Reader {
    let lines: [String]
    var next = 0
    var bailOut: String?
    var totals = ""

    mutating func document(indent: String) throws -> [Test] {
      guard try line(indent) == "KTAP version 1" else { throw Malformed(reason: "no version line") }
      var plan: Int?
      var tests: [Test] = []
      var subtests: [Test] = []
      while next < lines.count, lines[next].hasPrefix(indent) {
        let line = lines[next].dropFirst(indent.count)
        if line.hasPrefix("  KTAP") {
          subtests = try document(indent: indent + "  ")
          continue
        }
        if line.hasPrefix("  "), indent.isEmpty { throw Malformed(reason: "stray subtest line: \(line)") }
        next += 1
        if line.hasPrefix("1..") {
          if plan != nil || !tests.isEmpty { throw Malformed(reason: "the plan must come once, first") }
          plan = Int(line.dropFirst(3))
        } else if line.hasPrefix("# Totals: ") {
          totals = String(line.dropFirst(10))
        } else if line.hasPrefix("Bail out! ") {
          bailOut = String(line.dropFirst(10))
        } else if !line.hasPrefix("#") {
          tests.append(try test(line, number: tests.count + 1, subtests))
          subtests = []
        }
        if !indent.isEmpty, tests.count == plan { break }
      }
      if tests.count != plan {
        throw Malformed(reason: "\(tests.count) results of \(plan.map(String.init) ?? "no plan")")
      }
      if Set(tests.map(\.name)).count != tests.count { throw Malformed(reason: "names are not unique") }
      return tests
    }

    private mutating func line(_ indent: String) throws -> String {
      guard next < lines.count, lines[next].hasPrefix(indent) else { throw Malformed(reason: "ends early") }
      next += 1
      return String(lines[next - 1].dropFirst(indent.count))
    }

    private func test(_ line: Substring, number: Int, _ subtests: [Test]) throws -> Test {
      let isOK = line.hasPrefix("ok ")
      guard isOK || line.hasPrefix("not ok ") else { throw Malformed(reason: "no result: \(line)") }
      let parts = line.dropFirst(isOK ? 3 : 7).split(separator: " ", maxSplits: 1)
      guard parts.count == 2, Int(parts[0]) == number else { throw Malformed(reason: "misnumbered: \(line)") }
      let named = parts[1].split(separator: "#", omittingEmptySubsequences: false)
      guard named.count <= 2 else { throw Malformed(reason: "more than one #: \(line)") }
      var skip: String?
      if named.count == 2 {
        guard named[1].hasPrefix(" SKIP ") else { throw Malformed(reason: "unknown directive: \(line)") }
        skip = String(named[1].dropFirst(6))
      }
      let name = named[0].last == " " ? named[0].dropLast() : named[0]
      return Test(isOK: isOK, name: String(name), skip: skip, subtests: subtests)
    }
  }
}
