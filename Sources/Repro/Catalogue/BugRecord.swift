/// Reads one record of the jar as a ``Bug``, or says which line is wrong and what belongs there.
struct BugRecord {
  private static let required = [
    "id", "hazard", "scenarios", "paths", "bad", "fixed", "source", "confidence", "measured", "summary",
  ]
  private static let optional = ["memory", "schedule", "fix", "introduced", "cve", "note"]

  /// The ways an I/O takes its reference to a page, and two for records about no I/O of that kind:
  /// `pin` is a driver's long pin (RDMA, VFIO, an accelerator), `memory` no I/O at all.
  static let paths: Set<String> = [
    "fuse", "block", "nfs", "ceph", "cifs", "9p", "mapped", "raid1", "btrfs", "pin", "memory",
  ]

  private let record: RecordJar.Record

  init(_ record: RecordJar.Record) throws(CatalogueError) {
    self.record = record
    for (name, field) in record.fields.sorted(by: { $0.value.line < $1.value.line }) {
      guard Self.required.contains(name) || Self.optional.contains(name) else {
        throw error(
          name, "there is no field '\(name)'",
          "use one of \((Self.required + Self.optional).joined(separator: " "))")
      }
      guard !field.value.isEmpty else {
        throw error(name, "field '\(name)' is empty", "give a value, 'none', or leave the line out")
      }
    }
    for name in Self.required where record.fields[name] == nil {
      throw CatalogueError(
        line: record.line, problem: "the record has no field '\(name)'", remedy: "add '\(name): ...'")
    }
  }

  /// The bug that the record describes.
  func bug() throws(CatalogueError) -> Bug {
    Bug(
      id: text("id"), hazard: text("hazard"), scenarios: list("scenarios", " ").map { Glob($0) },
      paths: try pathNames(), memories: try memoryNames(), schedules: try scheduleNames(), bad: try origin(),
      fixed: try repair(),
      fix: try commits("fix"),
      introduced: try commits("introduced"), cve: list("cve", " "), source: text("source"),
      confidence: try confidence(), measured: try observations(), summary: text("summary"),
      note: record.fields["note"]?.value)
  }

  private func text(_ name: String) -> String { record.fields[name]?.value ?? "" }

  /// The parts of a list; `none` is the empty one.
  private func list(_ name: String, _ separator: Character) -> [String] {
    text(name) == "none" ? [] : text(name).parts(separator)
  }

  private func pathNames() throws(CatalogueError) -> [String] {
    let names = list("paths", " ")
    if let unknown = names.first(where: { !Self.paths.contains($0) }) {
      throw error(
        "paths", "there is no path '\(unknown)'",
        "use some of \(Self.paths.sorted().joined(separator: " "))")
    }
    return names
  }

  private func memoryNames() throws(CatalogueError) -> [String] {
    guard record.fields["memory"] != nil else { return [MemoryKind.all[0].name] }
    let names = list("memory", " ")
    if let unknown = names.first(where: { MemoryKind.named($0) == nil }) {
      throw error(
        "memory", "there is no memory '\(unknown)'",
        "use some of \(MemoryKind.all.map(\.name).joined(separator: " "))")
    }
    return names
  }

  private func scheduleNames() throws(CatalogueError) -> Set<Schedule> {
    guard record.fields["schedule"] != nil else { return Set(Schedule.allCases) }
    guard let schedule = Schedule(rawValue: text("schedule")) else {
      throw error("schedule", "there is no schedule '\(text("schedule"))'", "use staged, race or free")
    }
    return [schedule]
  }

  private func origin() throws(CatalogueError) -> Bug.Origin {
    switch text("bad") {
    case "never": .never
    case "always": .always
    case let other: .since(try version(other, in: "bad"))
    }
  }

  private func repair() throws(CatalogueError) -> Bug.Repair {
    guard text("fixed") != "never" else { return .never }
    var versions: [KernelVersion] = []
    for part in list("fixed", ",") { versions.append(try version(part, in: "fixed")) }
    guard let mainline = versions.first, mainline.patch == 0 else {
      throw error("fixed", "the mainline release is not first", "write '6.5' before '6.1.130'")
    }
    let backports = Array(versions.dropFirst())
    for (index, backport) in backports.enumerated() {
      guard backport.patch != 0, !backports[..<index].contains(where: { $0.isSameSeries(as: backport) })
      else {
        throw error(
          "fixed", "'\(backport)' is no backport, or its series is listed twice",
          "list one stable release, such as 5.10.102, for each series")
      }
    }
    return .inRelease(mainline, backports: backports)
  }

  private func version(_ text: String, in field: String) throws(CatalogueError) -> KernelVersion {
    guard let version = KernelVersion(text) else {
      throw error(field, "'\(text)' is not a version", "write a release such as 6.5 or 5.10.102")
    }
    return version
  }

  /// Commits are separated by `;` and start with 12 digits of the hash.
  private func commits(_ name: String) throws(CatalogueError) -> [Bug.Commit] {
    var commits: [Bug.Commit] = []
    for part in list(name, ";") {
      let hash = part.prefix { $0 != " " }
      let title = part.dropFirst(hash.count).trimmed
      guard hash.count == 12, hash.allSatisfy(\.isHexDigit), !title.isEmpty else {
        throw error(
          name, "'\(part)' is not a commit", "write 12 hex digits and a title, with ';' between commits")
      }
      commits.append(Bug.Commit(hash: String(hash), title: String(title)))
    }
    return commits
  }

  private func confidence() throws(CatalogueError) -> [Bug.Confidence] {
    var confidence: [Bug.Confidence] = []
    for part in list("confidence", " ") {
      guard let one = Bug.Confidence(rawValue: part) else {
        throw error(
          "confidence", "'\(part)' is no confidence",
          "use some of \(Bug.Confidence.allCases.map(\.rawValue).joined(separator: " "))")
      }
      confidence.append(one)
    }
    return confidence
  }

  private func observations() throws(CatalogueError) -> [Bug.Observation] {
    var observations: [Bug.Observation] = []
    for part in list("measured", ",") {
      let words = part.parts(" ")
      guard (2...3).contains(words.count), let version = KernelVersion(words[0]), let verdict = words.last,
        ["corrupt", "clean"].contains(verdict)
      else {
        throw error(
          "measured", "'\(part)' is no observation", "write '6.1.176 corrupt', or '6.1.176 arm64 corrupt'")
      }
      observations.append(
        Bug.Observation(
          version: version, architecture: words.count == 3 ? words[1] : nil, pageSize: nil,
          corrupt: verdict == "corrupt"))
    }
    return observations
  }

  private func error(_ field: String, _ problem: String, _ remedy: String) -> CatalogueError {
    CatalogueError(line: record.fields[field]?.line ?? record.line, problem: problem, remedy: remedy)
  }
}
