import Repro

/// A kernel's source that mutations are written for.
public struct MutantBase: Sendable {
  /// A short name, its series: `6.12`.
  public let name: String
  /// The suite of Debian that has it.
  let suite: String
  /// Its package.
  let package: String
  /// The records of its mutations.
  private let records: @Sendable () -> [UInt8]

  /// The one with the most records.
  public static let standard = MutantBase(
    name: "6.12", suite: "bookworm-security", package: "linux-source-6.12"
  ) {
    PackageResources.mutations_txt
  }

  /// One in which many guards have another place, and which has no FUSE and no block layer that pins.
  public static let older = MutantBase(name: "6.1", suite: "bookworm-security", package: "linux-source-6.1") {
    PackageResources.mutations_6_1_txt
  }

  /// Those that there are.
  public static let all = [standard, older]

  private init(name: String, suite: String, package: String, records: @escaping @Sendable () -> [UInt8]) {
    (self.name, self.suite, self.package, self.records) = (name, suite, package, records)
  }

  /// The mutations that come with this version, compiled in.
  public var mutations: Mutations {
    do {
      return try Mutations(parsing: String(decoding: records(), as: UTF8.self))
    } catch {
      fatalError("the mutations of \(name), \(error)")
    }
  }

  /// What the last check of them found: the base's part of `fixtures/mutant-sources.txt`, compiled in.
  public var recorded: MutantSources {
    MutantSources(
      parsing: String(decoding: PackageResources.mutant_sources_txt, as: UTF8.self), series: name)
  }
}
