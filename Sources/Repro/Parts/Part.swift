/// One choice on one axis of a case: a scenario, a memory, an engine or a target.
///
/// A part says itself what it can't do without and what it changes on the host; nobody else has to know.
public protocol Part: Sendable {
  /// Unique among all parts; lower case, without `.`, `#`, `,` or white space.
  var name: String { get }
  /// One line.
  var summary: String { get }
  /// What must be there for the part to mean anything: what is missing skips its cases.
  var needs: [Need] { get }
  /// What is changed on the host while it is in use, and put back.
  var settings: [Setting] { get }
}

extension Part {
  /// What is missing here and how to get it; nil when nothing is.
  public var obstacle: String? { needs.lazy.compactMap { $0.missing() }.first }

  /// Whether it acts on the whole machine: it says so by a setting, or by a need that is of the machine
  /// (``Need/isOfMachine``). Its cases run with no other beside them.
  public var actsOnMachine: Bool { !settings.isEmpty || needs.contains(where: \.isOfMachine) }
}
