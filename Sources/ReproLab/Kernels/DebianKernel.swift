import Foundation
import Glibc

/// A stock kernel: a package of a Debian suite, unpacked into a cache and never installed.
///
/// A meta package is followed to what it depends on; since 7.x that is three packages (`linux-binary-*` has the
/// image, `linux-modules-*` the modules, `linux-base-*` the list of what is built in). Apt runs with a sources
/// file, package lists and archive folder of its own, so the machine's own state is neither used nor changed.
public struct DebianKernel: Sendable, Equatable {
  /// The suite: `bookworm`, `bookworm-security`, `sid`.
  public let suite: String
  /// The package, which may be a meta package: `linux-image-cloud-amd64`.
  public let package: String

  /// Understands `debian:SUITE/PACKAGE`; anything without the prefix is nil, a bad rest is an error.
  init?(parsing text: String) throws {
    guard text.hasPrefix("debian:") else { return nil }
    let parts = text.dropFirst("debian:".count).split(separator: "/", omittingEmptySubsequences: false)
    func isName(_ part: Substring) -> Bool {
      part.first?.isLetter == true
        && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
    }
    guard parts.count == 2, parts.allSatisfy(isName) else {
      throw LabError(
        "'\(text)' names no package",
        remedy: "write debian:SUITE/PACKAGE, as in debian:bookworm/linux-image-amd64")
    }
    suite = String(parts[0])
    package = String(parts[1])
  }

  /// As the user writes it.
  public var description: String { "debian:\(suite)/\(package)" }

  /// Finds the kernel in the cache or fetches it.
  /// - Parameter architecture: whose packages are meant; nil for x86-64.
  func resolve(
    for architecture: Architecture? = nil, cache: String, refresh: Bool, progress: (String) -> Void
  ) async throws -> Kernel {
    let name = architecture?.debian ?? "amd64"
    let entry = name == "amd64" ? "\(cache)/\(suite)/\(package)" : "\(cache)/\(suite)-\(name)/\(package)"
    if !refresh, FileManager.default.fileExists(atPath: entry) { return try cached(entry, architecture) }

    let scratch = try ScratchFolder(in: cache, prefix: ".fetch")
    defer { scratch.remove() }
    let apt = try PrivateApt(suite: suite, architecture: name, folder: scratch.path)
    progress("reading the package list of \(suite)" + (name == "amd64" ? "" : ", \(name)"))
    try await apt.update()
    let packages = try await apt.closure(of: package)
    progress("downloading \(packages.joined(separator: ", "))")
    let unpacked = scratch.appending("unpacked")
    try await apt.unpack(packages, into: unpacked)

    // Only what passes as a kernel gets its final name, and a rename puts it there whole.
    _ = try cached(unpacked, architecture, remedy: "name a linux-image package")
    try Self.place(unpacked, at: entry, aside: refresh ? scratch.appending("previous") : nil)
    return try cached(entry, architecture)
  }

  private func cached(_ entry: String, _ architecture: Architecture?, remedy: String? = nil) throws -> Kernel
  {
    try Kernel(
      unpacked: entry, name: description, architecture: architecture, remedy: remedy ?? "remove \(entry)")
  }

  /// Gives a finished tree its place in the cache; another process may have been faster, which is as good.
  static func place(_ tree: String, at entry: String, aside: String?) throws {
    let parent = URL(fileURLWithPath: entry).deletingLastPathComponent().path
    try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
    if let aside { _ = rename(entry, aside) }
    guard rename(tree, entry) == 0 || errno == ENOTEMPTY || errno == EEXIST else {
      throw LabError(
        "\(entry): cannot be created (\(String(cString: strerror(errno))))", remedy: "make the cache writable"
      )
    }
  }
}

/// Apt with a sources file, lists and archives of its own in a scratch folder.
struct PrivateApt: Sendable {
  let suite: String
  /// By Debian's name.
  let architecture: String
  let folder: String

  init(
    suite: String, architecture: String = "amd64", folder: String, sources: AptSources = .ofThisMachine()
  ) throws {
    self.suite = suite
    self.architecture = architecture
    self.folder = folder
    for name in ["lists/partial", "archives/partial"] {
      try FileManager.default.createDirectory(
        atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
    }
    try sources.sources(forSuite: suite, architecture: architecture)
      .write(toFile: "\(folder)/suite.sources", atomically: false, encoding: .utf8)
  }

  /// What confines apt to the folder. The sandbox user could not write there, and root is not asked to be.
  var options: [String] {
    [
      "Dir::Etc::SourceList=\(folder)/suite.sources", "Dir::Etc::SourceParts=-",
      "Dir::State::Lists=\(folder)/lists", "Dir::Cache=\(folder)", "Dir::Cache::Archives=\(folder)/archives",
      "APT::Architecture=\(architecture)", "APT::Architectures=\(architecture)", "APT::Sandbox::User=",
      "Acquire::Retries=3",
      "Acquire::Languages=none",
    ].flatMap { ["-o", $0] }
  }

  func update() async throws {
    let outcome = try await HostTool.aptGet.run(options + ["-q", "--error-on=any", "update"])
    guard outcome.succeeded else {
      throw LabError(
        "no package list of Debian suite '\(suite)': \(outcome.complaint)",
        remedy: "check the suite's name, the network and the mirror in /etc/apt")
    }
  }

  /// The package and all it needs of the kernel, dependencies last.
  ///
  /// An archive that keeps an old kernel drops its `linux-base-*` all the same, which has only the list of
  /// what is built in; the kernel does without.
  func closure(of package: String) async throws -> [String] {
    var found = [package]
    var next = 0
    while next < found.count {
      let outcome = try await HostTool.aptCache.run(options + ["show", "--no-all-versions", found[next]])
      if outcome.succeeded, !outcome.output.isEmpty {
        found += Self.kernelDependencies(inShow: outcome.text).filter { !found.contains($0) }
        next += 1
      } else if next > 0, found[next].hasPrefix("linux-base-") {
        found.remove(at: next)
      } else {
        throw await unknown(found[next])
      }
    }
    return found
  }

  /// The dependencies of `apt-cache show` that are parts of a kernel; alternatives and tools are left out.
  static func kernelDependencies(inShow text: String) -> [String] {
    let prefixes = ["linux-image-", "linux-binary-", "linux-modules-", "linux-base-"]
    var names: [String] = []
    for line in text.split(separator: "\n") where line.hasPrefix("Depends:") || line.hasPrefix("Pre-Depends:")
    {
      for dependency in line.drop(while: { $0 != ":" }).dropFirst().split(separator: ",") {
        let name = dependency.drop { $0 == " " }.prefix { $0 != " " && $0 != "(" && $0 != ":" }
        guard !dependency.contains("|"), prefixes.contains(where: name.hasPrefix) else { continue }
        names.append(String(name))
      }
    }
    return names
  }

  private func unknown(_ package: String) async -> LabError {
    let flavour = architecture == "amd64" ? "(cloud-)?amd64" : "[a-z]+[a-z0-9-]*"
    let search = ["search", "--names-only", "^linux-image(-[0-9.]+)?-\(flavour)$"]
    let text = (try? await HostTool.aptCache.run(options + search))?.text ?? ""
    let names = text.split(separator: "\n").compactMap { $0.split(separator: " ").first.map(String.init) }
    return LabError(
      "Debian suite '\(suite)' has no package '\(package)'",
      remedy: names.isEmpty
        ? "find one with apt-cache search linux-image" : "it has \(names.joined(separator: ", "))")
  }

  /// Downloads the packages and unpacks them over each other.
  func unpack(_ packages: [String], into tree: String) async throws {
    let archives = "\(folder)/archives"
    let download = try await HostTool.aptGet.run(options + ["-q", "download"] + packages, in: archives)
    let debs = try FileManager.default.contentsOfDirectory(atPath: archives).filter { $0.hasSuffix(".deb") }
    guard download.succeeded, debs.count == packages.count else {
      throw LabError(
        "download from Debian suite '\(suite)' failed: \(download.complaint)",
        remedy: "try again, and check the network and the space for the cache")
    }
    try FileManager.default.createDirectory(atPath: tree, withIntermediateDirectories: true)
    for deb in debs.sorted() {
      let outcome = try await HostTool.dpkg.run(["-x", "\(archives)/\(deb)", tree])
      guard outcome.succeeded else {
        throw LabError(
          "\(deb): cannot be unpacked: \(outcome.complaint)", remedy: "check the space for the cache")
      }
    }
  }
}
