/// One known kernel bug of the class, as the catalogue records it.
///
/// One record covers one range of versions. A bug that was fixed for block devices in one release and for
/// FUSE in another is two records, told apart by ``paths``.
public struct Bug: Sendable, Hashable, Identifiable {
  /// A short unique name, such as `fork-block`.
  public let id: String
  /// What must happen to the page while the I/O is in flight.
  public let hazard: String
  /// The scenarios that look for the bug; empty if none does yet.
  public let scenarios: [Glob]
  /// How the I/O takes its reference to the page: `block`, `fuse`, `nfs`, ...
  public let paths: [String]
  /// The kinds of memory that can lose data; `anon` where the record does not say.
  public let memories: [String]
  /// The schedules that can tell; both where the record does not say.
  public let schedules: Set<Schedule>
  /// Since when kernels have the bug.
  public let bad: Origin
  /// In which releases it is gone.
  public let fixed: Repair
  /// The commits that repaired it.
  public let fix: [Commit]
  /// The commits that brought it in, as far as they are known.
  public let introduced: [Commit]
  /// CVE numbers.
  public let cve: [String]
  /// Where the claims can be read.
  public let source: String
  /// What the record rests on.
  public let confidence: [Confidence]
  /// What real kernels did: as the record says, and as cases of ours measured.
  public private(set) var measured: [Observation]
  /// The damage in one line.
  public let summary: String
  /// What else must be known, such as a bound that is not sharp.
  public let note: String?

  /// Whether a kernel has the bug; nil if that can't be told because its patch level is unknown.
  ///
  /// A kernel from the series of a listed backport is compared by patch level, any other with the mainline
  /// release of the fix.
  public func affects(_ version: KernelVersion) -> Bool? {
    let begun: Bool? =
      switch bad {
      case .never: false
      case .always: true
      case .since(let first) where first.patch == 0 || version.isSameSeries(as: first):
        version.isAtLeast(first)
      case .since: false
      }
    guard begun != false else { return false }
    switch fixed {
    case .never: return begun
    case .inRelease(let mainline, let backports):
      let repair = backports.first { $0.isSameSeries(as: version) } ?? mainline
      guard let repaired = version.isAtLeast(repair) else { return nil }
      return repaired ? false : begun
    }
  }
}

extension Bug {
  /// The first kernel with a bug.
  public enum Origin: Sendable, Hashable {
    /// No released kernel is known to have it: the record describes a guard that must hold.
    case never
    /// As far back as anyone looked.
    case always
    /// From this release on. A stable release means that a backport brought it in, so only its series has it.
    case since(KernelVersion)
  }

  /// The releases that repaired a bug.
  public enum Repair: Sendable, Hashable {
    /// Not repaired yet.
    case never
    /// The mainline release, and the stable releases that took the fix back.
    case inRelease(KernelVersion, backports: [KernelVersion])
  }

  /// A commit of the kernel.
  public struct Commit: Sendable, Hashable {
    /// The first 12 digits of its hash.
    public let hash: String
    /// Its title or what it does, short.
    public let title: String
  }

  /// What a claim rests on.
  public enum Confidence: String, Sendable, Hashable, CaseIterable {
    /// Seen on real kernels.
    case measured
    /// Read in source, a changelog, a patch or a CVE record.
    case source
    /// Recalled, not looked up.
    case memory
  }

  /// What one real kernel did.
  public struct Observation: Sendable, Hashable {
    /// The kernel.
    public let version: KernelVersion
    /// What it was built for, by its name in `fixtures/architectures.txt`; nil for x86-64.
    public let architecture: String?
    /// Bytes of a page; nil where the record does not say.
    public var pageSize: Int?
    /// Whether the damage was seen there.
    public let corrupt: Bool
  }

  /// Whether the record describes a guard that must hold rather than a bug.
  public var isGuard: Bool { bad == .never }
}

extension Bug.Origin: CustomStringConvertible {
  /// As in the record: `never`, `always` or a version.
  public var description: String {
    switch self {
    case .never: "never"
    case .always: "always"
    case .since(let version): version.description
    }
  }
}

extension Bug.Repair: CustomStringConvertible {
  /// As in the record: `never`, or the versions, mainline first.
  public var description: String {
    switch self {
    case .never: "never"
    case .inRelease(let mainline, let backports):
      ([mainline] + backports).map(\.description).joined(separator: ", ")
    }
  }
}

extension Bug.Observation: CustomStringConvertible {
  /// The architecture if it is not x86-64, and its pages where they are not of 4 KiB.
  var place: String? {
    guard let architecture else { return nil }
    guard let pageSize, pageSize != 4096 else { return architecture }
    return "\(architecture) with \(pageSize / 1024) KiB pages"
  }

  /// As in the record: `6.1.176 corrupt`, `6.1.176 arm64 corrupt`.
  public var description: String {
    "\(version) \(architecture.map { "\($0) " } ?? "")\(corrupt ? "corrupt" : "clean")"
  }
}

extension Bug {
  /// The same record, with more that was seen; a kernel that did the same in several cases is one observation.
  func observed(_ more: [Observation]) -> Bug {
    var bug = self
    for one in more {
      let isKnown = { (known: Observation) in
        (known.version, known.architecture, known.corrupt) == (one.version, one.architecture, one.corrupt)
      }
      bug.measured.removeAll { isKnown($0) && $0.pageSize == nil }
      if !bug.measured.contains(where: isKnown) { bug.measured.append(one) }
    }
    bug.measured.sort { ($0.version, $0.architecture ?? "") < ($1.version, $1.architecture ?? "") }
    return bug
  }

  /// The kernels on which a verdict was seen, and on which architectures but x86-64:
  /// `5.10.223, 6.1.176 (also arm64, ppc64le with 64 KiB pages)`.
  package func kernels(corrupt: Bool) -> [String] {
    let seen = measured.filter { $0.corrupt == corrupt }
    var versions: [KernelVersion] = []
    for one in seen where !versions.contains(one.version) { versions.append(one.version) }
    return versions.map { version in
      let here = seen.filter { $0.version == version }
      let others = here.compactMap(\.place)
      if others.isEmpty { return "\(version)" }
      return "\(version) (\(here.count > others.count ? "also " : "")\(others.joined(separator: ", ")))"
    }
  }
}
