/// What one case did on one kernel, as a line of `fixtures/measured.txt` has it:
///
///     fork-fuse fork.pread.staged 6.1.176 arm64 4096 20/20
///
/// that is bug, case, kernel, architecture, bytes of a page, and trials that lost data of those that were exposed.
public struct Measurement: Sendable, Hashable {
  /// The record of the catalogue that the case asks about.
  public let bug: String
  /// Which case.
  public let `case`: CaseName
  /// The kernel.
  public let version: KernelVersion
  /// By its name in `fixtures/architectures.txt`.
  public let architecture: String
  /// Bytes.
  public let pageSize: Int
  /// Trials that lost data.
  public let lost: Int
  /// Trials that were exposed.
  public let exposed: Int

  /// Puts one together.
  public init(
    bug: String, case: CaseName, version: KernelVersion, architecture: String, pageSize: Int, lost: Int,
    exposed: Int
  ) {
    self.bug = bug
    self.case = `case`
    self.version = version
    self.architecture = architecture
    self.pageSize = pageSize
    self.lost = lost
    self.exposed = exposed
  }

  /// What the catalogue makes of it.
  public var observation: Bug.Observation {
    Bug.Observation(
      version: version, architecture: architecture == Self.usual ? nil : architecture, pageSize: pageSize,
      corrupt: lost > 0)
  }

  /// The architecture that observations do not name.
  private static let usual = "x86-64"
}

extension Measurement: CustomStringConvertible {
  /// The line.
  public var description: String {
    "\(bug) \(self.case) \(version) \(architecture) \(pageSize) \(lost)/\(exposed)"
  }
}

/// All that was measured by cases of ours, one line each.
public struct Measurements: Sendable, Hashable {
  /// The lines, in the order of ``text``.
  public private(set) var all: [Measurement]

  /// What comes with this version of the suite: `fixtures/measured.txt`, which `./run.sh measure` writes anew.
  public static let standard: Measurements = {
    do throws(CatalogueError) {
      return try Measurements(parsing: String(decoding: PackageResources.measured_txt, as: UTF8.self))
    } catch {
      fatalError("fixtures/measured.txt, \(error)")
    }
  }()

  /// Nothing measured.
  public init() { all = [] }

  /// Reads lines; `#` begins a comment.
  /// - Throws: CatalogueError for one that is none.
  public init(parsing text: String) throws(CatalogueError) {
    all = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let words = line.parts(" ")
      if words.isEmpty || line.first == "#" { continue }
      guard words.count == 6, let name = CaseName(words[1]), let version = KernelVersion(words[2]),
        let page = Int(words[4]), let (lost, exposed) = Self.fraction(words[5])
      else {
        throw CatalogueError(
          line: index + 1, problem: "'\(line)' is no measurement",
          remedy: "write 'fork-fuse fork.pread.staged 6.1.176 arm64 4096 20/20', or run './run.sh measure'")
      }
      all.append(
        Measurement(
          bug: words[0], case: name, version: version, architecture: words[3], pageSize: page, lost: lost,
          exposed: exposed))
    }
  }

  private static func fraction(_ word: String) -> (Int, Int)? {
    let numbers = word.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let lost = numbers[0], let exposed = numbers[1], exposed > 0,
      (0...exposed).contains(lost)
    else { return nil }
    return (lost, exposed)
  }

  /// Takes in what was measured now, in place of what the same case gave on the same kernel.
  public mutating func replace(with new: [Measurement]) {
    let again = Set(new.map(Place.init))
    // Of several reports the last one counts.
    var told: Set<String> = []
    let latest = new.reversed().filter { told.insert("\($0.bug) \(Place($0))").inserted }
    all = all.filter { !again.contains(Place($0)) } + latest
    all.sort {
      ($0.bug, $0.version, $0.architecture, "\($0.case)") < (
        $1.bug, $1.version, $1.architecture, "\($1.case)"
      )
    }
  }

  /// The file.
  public var text: String { Self.head + all.map { "\($0)\n" }.joined() }

  private static let head = """
    # What the cases of this suite did on real kernels, for records of bugs.txt. Written by './run.sh measure'; losses
    # that the catalogue does not have are never written here.
    # BUG CASE KERNEL ARCHITECTURE BYTES-OF-A-PAGE LOST/EXPOSED


    """

  /// Where a case was measured.
  private struct Place: Hashable {
    let name: CaseName
    let version: KernelVersion
    let architecture: String

    init(_ one: Measurement) { (name, version, architecture) = (one.case, one.version, one.architecture) }
  }
}

extension Catalogue {
  /// ``standard`` with all that was measured: for readers. A run decides without it, and a guest need not read it.
  public static let measured = standard.with(.standard)

  /// The same records, which know of these measurements.
  public func with(_ measurements: Measurements) -> Catalogue {
    let byBug = Dictionary(grouping: measurements.all, by: \.bug)
    return Catalogue(bugs: bugs.map { $0.observed(byBug[$0.id, default: []].map(\.observation)) })
  }

  /// Where records and what real kernels did contradict each other, one line each.
  public func contradictions(_ measurements: Measurements) -> [String] {
    let seen = with(measurements).bugs.flatMap { bug in
      bug.measured.filter { bug.affects($0.version) != $0.corrupt }.map { "\(bug.id): measured \($0)" }
    }
    return seen
      + measurements.all.filter { one in
        !bugs.contains { $0.id == one.bug && $0.isAbout(one.case) }
      }.map { "\($0): no record of that name is about that case" }
  }
}

extension Bug {
  /// Whether a case looks for it, if its I/O takes one of the bug's paths.
  fileprivate func isAbout(_ name: CaseName) -> Bool {
    let kinds = MemoryKind.named(name.memory)?.catalogued ?? [name.memory]
    return memories.contains(where: kinds.contains) && schedules.contains(name.schedule)
      && scenarios.contains { $0.matches(name.scenario) }
  }
}
