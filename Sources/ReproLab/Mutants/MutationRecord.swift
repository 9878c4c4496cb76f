import Repro

/// Reads one record of `fixtures/mutations.txt`, or says which line is wrong and what belongs there.
///
/// `find` begins an edit, and `widen` one that only makes a window wider; `file` and `function` say where those
/// below them are, and `replace` what is put there.
struct MutationRecord {
  static let repeatable: Set<String> = ["file", "function", "find", "widen", "replace"]
  private static let required = ["id", "kind", "summary", "state", "cases"]
  private static let optional = ["guard", "check", "why", "depth", "trials"]
  /// A mutant must be found within so many staged trials.
  private static let usualTrials = 100

  private let record: RecordJar.Record

  init(_ record: RecordJar.Record) throws(CatalogueError) {
    self.record = record
    for (name, field) in record.fields.sorted(by: { $0.value.line < $1.value.line })
    where !Self.required.contains(name) && !Self.optional.contains(name) {
      throw CatalogueError(
        line: field.line, problem: "there is no field '\(name)'",
        remedy:
          "use one of \((Self.required + Self.optional + Self.repeatable.sorted()).joined(separator: " "))")
    }
    for name in Self.required where text(name).isEmpty {
      throw CatalogueError(
        line: record.line, problem: "the record has no '\(name)'", remedy: "add '\(name): ...'")
    }
  }

  func mutation() throws(CatalogueError) -> Mutation {
    let (edits, widening) = try edits()
    let state = try choice("state", Mutation.State.init(rawValue:), "reachable, equivalent or not-reached")
    if state != .reachable, text("why").isEmpty {
      throw error("state", "'\(text("state"))' without a reason", "add 'why: ...'")
    }
    if text("guard").isEmpty == text("check").isEmpty {
      throw error("id", "one of 'guard' and 'check' is needed", "name the guard as clean verdicts do")
    }
    let known = Scenario.standard.flatMap(\.guards).map(\.name)
    if let name = record.fields["guard"]?.value, !known.contains(name) {
      throw error(
        "guard", "no scenario asks '\(name)'", "name a guard that one does, or say 'check' in words")
    }
    let cases = try cases()
    if cases.isEmpty, state == .reachable { throw error("cases", "none is named", "name what must find it") }
    return Mutation(
      id: text("id"), kind: try choice("kind", Mutation.Kind.init(rawValue:), "mutant or fix"),
      guardName: record.fields["guard"]?.value, check: record.fields["check"]?.value,
      summary: text("summary"), state: state, why: record.fields["why"]?.value, edits: edits,
      widening: widening, cases: cases, depth: try number("depth", usual: 1),
      trials: try number("trials", usual: Self.usualTrials))
  }

  private func text(_ name: String) -> String { record.fields[name]?.value ?? "" }

  private func choice<Value>(
    _ name: String, _ read: (String) -> Value?, _ choices: String
  ) throws(CatalogueError) -> Value {
    guard let value = read(text(name)) else {
      throw error(name, "'\(text(name))' is none of its values", "write \(choices)")
    }
    return value
  }

  private func number(_ name: String, usual: Int) throws(CatalogueError) -> Int {
    guard record.fields[name] != nil else { return usual }
    guard let value = Int(text(name)), value > 0 else {
      throw error(name, "'\(text(name))' is no number above 0", "give one, or leave the line out")
    }
    return value
  }

  /// Only cases that mean something; what a kernel lacks is found when it runs.
  private func cases() throws(CatalogueError) -> [CaseName] {
    var cases: [CaseName] = []
    for word in text("cases") == "none" ? [] : text("cases").split(separator: " ") {
      guard let name = CaseName(String(word)) else {
        throw error("cases", "'\(word)' is no case", "write one as 'repro list --cases' does")
      }
      var selection = Selection()
      selection.cases = [name]
      let depth = try number("depth", usual: 1)
      let left = (try? selection.chosenScenarios()).map { selection.expand($0, depth: depth) }
      guard let left, left.cases.count == 1 else {
        throw error("cases", "'\(word)' is left out: \(left?.excluded.first?.reason ?? "")", "name another")
      }
      cases.append(name)
    }
    return cases
  }

  private func edits() throws(CatalogueError) -> (edits: [Mutation.Edit], widening: [Mutation.Edit]) {
    var (edits, widening): ([Mutation.Edit], [Mutation.Edit]) = ([], [])
    var (file, function) = ("", "")
    var open: (find: String, widens: Bool)?
    for (name, field) in record.repeated {
      if let open, name != "replace" { throw unfinished(open.find, field.line) }
      switch name {
      case "file": file = field.value
      case "function": function = field.value
      case "find", "widen":
        guard !file.isEmpty, !function.isEmpty, !field.value.isEmpty else {
          throw CatalogueError(
            line: field.line, problem: "an edit without a place", remedy: "put 'file' and 'function' above it"
          )
        }
        open = (field.value, name == "widen")
      default:
        guard let (find, widens) = open else {
          throw CatalogueError(
            line: field.line, problem: "'replace' without 'find'", remedy: "say above it what is replaced")
        }
        let edit = Mutation.Edit(file: file, function: function, find: find, replace: field.value)
        if widens { widening.append(edit) } else { edits.append(edit) }
        open = nil
      }
    }
    if let open { throw unfinished(open.find, record.line) }
    if edits.isEmpty {
      throw error("id", "the record edits nothing", "add 'file', 'function', 'find', 'replace'")
    }
    return (edits, widening)
  }

  private func unfinished(_ find: String, _ line: Int) -> CatalogueError {
    CatalogueError(line: line, problem: "no 'replace' for '\(find)'", remedy: "say what is put there")
  }

  private func error(_ field: String, _ problem: String, _ remedy: String) -> CatalogueError {
    CatalogueError(line: record.fields[field]?.line ?? record.line, problem: problem, remedy: remedy)
  }
}
