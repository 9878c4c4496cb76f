/// What went wrong on the host before a guest could run, in one line that names the thing and the remedy.
public struct LabError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What is wrong, naming the file, kernel or tool.
  public let problem: String
  /// What the reader can do about it.
  public let remedy: String

  /// Describes a problem and its remedy; line ends are folded so that the description stays one line.
  public init(_ problem: String, remedy: String) {
    self.problem = problem.split(whereSeparator: \.isNewline).joined(separator: " ")
    self.remedy = remedy
  }

  /// The problem and the remedy as one line.
  public var description: String { "\(problem); \(remedy)" }
}
