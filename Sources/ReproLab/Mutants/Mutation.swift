import Repro

/// One edit of the kernel's source that takes a guard away, or mends what a released kernel lacks.
public struct Mutation: Sendable, Equatable {
  /// What it is for.
  public enum Kind: String, Sendable, Codable {
    /// Takes a guard away: some scenario must lose data then.
    case mutant
    /// Mends a known bug: its cases lose data on the base kernel, and must be clean with it.
    case fix
  }

  /// What is to be expected of a mutant.
  public enum State: String, Sendable, Codable {
    /// One of its cases must lose data.
    case reachable
    /// Nothing can be lost by it, since something else guards the same; the record says what.
    case equivalent
    /// Data may be lost, but no scenario gets there; the record says why.
    case notReached = "not-reached"
  }

  /// One place in one function.
  public struct Edit: Sendable, Equatable {
    /// Path in the source tree.
    public var file: String
    /// Name of the function that `find` stands in.
    public var function: String
    /// What must stand there exactly once; a blank stands for any white space.
    public var find: String
    /// What is put there; `$0` is what was found.
    public var replace: String
  }

  /// Short and stable.
  public var id: String
  /// What it is for.
  public var kind: Kind
  /// The guard's name as clean verdicts give it; nil where none of them names it.
  public var guardName: String?
  /// The guard in words, where no verdict names it.
  public var check: String?
  /// What the kernel does with it, in one line.
  public var summary: String
  /// What is to be expected.
  public var state: State
  /// Why it is not simply reachable.
  public var why: String?
  /// The edits that make it.
  public var edits: [Edit]
  /// Edits that only make a window wider, for base and mutant alike.
  public var widening: [Edit]
  /// The cases that claim the guard.
  public var cases: [CaseName]
  /// Pages under one hazard.
  public var depth: Int
  /// Trials of a case, at most.
  public var trials: Int

  /// The guard, by name or in words.
  public var guardText: String { guardName ?? check ?? "" }
}

/// The mutations of one base kernel.
public struct Mutations: Sendable {
  /// In the order of the text.
  public let all: [Mutation]

  /// Reads records in record-jar form.
  /// - Throws: CatalogueError, which names the line.
  public init(parsing text: String) throws {
    let jar = try RecordJar(parsing: text, repeatable: MutationRecord.repeatable)
    var all: [Mutation] = []
    for record in jar.records {
      let mutation = try MutationRecord(record).mutation()
      if all.contains(where: { $0.id == mutation.id }) {
        throw CatalogueError(
          line: record.line, problem: "'\(mutation.id)' is there already", remedy: "give it an id of its own")
      }
      all.append(mutation)
    }
    self.all = all
  }

  /// Those whose ids match one of the globs; all for none.
  /// - Throws: LabError for a glob that matches nothing.
  public func matching(_ globs: [String]) throws -> [Mutation] {
    if globs.isEmpty { return all }
    for text in globs where !all.contains(where: { Glob(text).matches($0.id) }) {
      throw LabError("no mutation '\(text)'", remedy: "it is one of \(all.map(\.id).joined(separator: ", "))")
    }
    return all.filter { mutation in globs.contains { Glob($0).matches(mutation.id) } }
  }
}
