/// What is wrong with a catalogue's text, where, and what to do about it.
public struct CatalogueError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The line the fault is on, counted from 1.
  public let line: Int
  /// What is wrong.
  public let problem: String
  /// What to write instead.
  public let remedy: String

  /// A fault on a line.
  public init(line: Int, problem: String, remedy: String) {
    self.line = line
    self.problem = problem
    self.remedy = remedy
  }

  /// Line, problem and remedy in one sentence.
  public var description: String { "line \(line): \(problem); \(remedy)" }
}
