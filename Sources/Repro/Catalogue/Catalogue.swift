/// The known bugs of the class, and what to expect from a scenario on a kernel.
///
/// The text is `fixtures/bugs.txt`, compiled into the library so that a static binary has it without a file
/// system.
public struct Catalogue: Sendable, Hashable {
  /// Every record, in the order of the text.
  public let bugs: [Bug]

  /// The catalogue that comes with this version of the suite.
  public static let standard: Catalogue = {
    do throws(CatalogueError) {
      return try Catalogue(parsing: String(decoding: PackageResources.bugs_txt, as: UTF8.self))
    } catch {
      fatalError("fixtures/bugs.txt, \(error)")
    }
  }()

  /// These records.
  init(bugs: [Bug]) { self.bugs = bugs }

  /// Reads records in record-jar form.
  public init(parsing text: String) throws(CatalogueError) {
    var bugs: [Bug] = []
    var lines: [String: Int] = [:]
    for record in try RecordJar(parsing: text).records {
      let bug = try BugRecord(record).bug()
      if let earlier = lines.updateValue(record.line, forKey: bug.id) {
        throw CatalogueError(
          line: record.line, problem: "the record of line \(earlier) has the id '\(bug.id)' too",
          remedy: "give each record an id of its own")
      }
      bugs.append(bug)
    }
    self.bugs = bugs
  }

  /// The records that a case looks for when its I/O takes the given path.
  public func bugs(_ name: CaseName, _ path: IOPath) -> [Bug] {
    let scenario = Scenario.named(name.scenario)
    if scenario?.role == .negativeControl, scenario?.direction == .write {
      // The stores that go with the hazard are a danger of their own.
      return records(name.of(.unstableWrite), path)
    }
    let own = records(name, path)
    // What no record names by itself has the bugs of its members.
    let members = own.isEmpty ? Scenario.named(name.scenario)?.members ?? [] : []
    return members.count < 2 ? own : unique(members.flatMap { records(name.of($0), path) })
  }

  private func unique(_ bugs: [Bug]) -> [Bug] {
    var seen: Set<String> = []
    return bugs.filter { seen.insert($0.id).inserted }
  }

  private func records(_ name: CaseName, _ path: IOPath) -> [Bug] {
    let memories = MemoryKind.named(name.memory)?.catalogued ?? [name.memory]
    return bugs.filter { bug in
      bug.memories.contains(where: memories.contains) && bug.schedules.contains(name.schedule)
        && bug.paths.contains { path.catalogued.contains($0) }
        && bug.scenarios.contains { $0.matches(name.scenario) }
    }
  }

  /// What a case must find on a kernel if the catalogue is right.
  ///
  /// A control's result follows from its role and needs no record. Anything else is clean only where a
  /// record says so; a case or path without records is unknown.
  public func expectation(
    _ name: CaseName, role: Scenario.Role, path: IOPath, version: KernelVersion
  ) -> Expectation {
    switch role {
    case .positiveControl: return .corrupt([])
    case .negativeControl:
      // A direct write is stored to while it is in flight, which is a bug's own hazard on some paths.
      let present = bugs(name, path).filter { $0.affects(version) == true }
      return present.isEmpty ? .clean : .possible(present)
    case .hazard: break
    }
    let known = bugs(name, path)
    let members = Scenario.named(name.scenario)?.members ?? []
    if members.count > 1, records(name, path).isEmpty {
      // The first hazard may keep the second from its work, and the other way round.
      let present = known.filter { $0.affects(version) == true }
      if !present.isEmpty { return .possible(present) }
      let areClean = members.allSatisfy {
        expectation(name.of($0), role: role, path: path, version: version) == .clean
      }
      return areClean ? .clean : .unknown
    }
    let present = known.filter { $0.affects(version) == true }
    if !present.isEmpty { return .corrupt(present) }
    let ruledOut = known.allSatisfy { $0.affects(version) == false }
    return ruledOut && !known.isEmpty ? .clean : .unknown
  }
}

extension Catalogue {
  /// What a scenario must find.
  public enum Expectation: Sendable, Hashable {
    /// Damage by these bugs; none for the control that does the damage itself.
    case corrupt([Bug])
    /// Damage by these bugs, or none: one hazard of several has them, and others may be in its way.
    case possible([Bug])
    /// No damage.
    case clean
    /// The catalogue can't tell.
    case unknown
  }
}
