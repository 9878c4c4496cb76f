import Foundation
import Glibc
import Repro

/// Builds the kernels of mutations in a cache, each once.
public struct MutantLab: Sendable {
  /// The base kernel's own place among the mutations.
  public static let baseID = "base"
  /// The same kernel, with the cases that are raced.
  static let racesID = "base-races"

  private let build: KernelBuild
  private let lock: FileLock

  /// The version of the source: `6.12.117`.
  public var version: String { build.tree.version }

  /// Opens the cache, and fetches the source if it is not there.
  /// - Parameters:
  ///   - hasAssertions: built with the kernel's own assertions (DEBUG_VM, PAGE_TABLE_CHECK).
  ///   - jobs: compilers at a time.
  ///   - progress: told before each step that takes long.
  /// - Throws: LabError for what is missing or full.
  public static func open(
    _ base: MutantBase, cache: String = standardCache, hasAssertions: Bool = false, jobs: Int,
    progress: (String) -> Void
  ) async throws -> MutantLab {
    let folder = "\(cache)/\(base.name)"
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw LabError(
        "\(folder): \(error.localizedDescription)", remedy: "make it writable, or set XDG_CACHE_HOME")
    }
    let lock = try await FileLock.take("\(folder)/lock", progress: progress)
    let tree: KernelTree
    if let existing = try KernelTree(existing: folder) {
      tree = existing
    } else {
      try BuildTools.require()
      try DiskSpace.require(DiskSpace.source + DiskSpace.build, in: folder, progress: progress)
      tree = try await KernelTree.fetch(
        suite: base.suite, package: base.package, into: folder, progress: progress)
    }
    let config = KernelConfig.lines(
      String(decoding: PackageResources.mutant_config, as: UTF8.self), of: tree.version)
    let text = (config + (hasAssertions ? assertions : [])).joined(separator: "\n")
    return MutantLab(build: KernelBuild(tree: tree, config: text, jobs: jobs), lock: lock)
  }

  /// What `--assertions` adds. A failed VM_BUG_ON ends the guest, since an oops does.
  private static let assertions = [
    "CONFIG_DEBUG_VM=y", "CONFIG_PAGE_TABLE_CHECK=y", "CONFIG_PAGE_TABLE_CHECK_ENFORCED=y",
  ]

  /// Removes all that is kept of a base.
  /// - Returns: whether there was anything.
  public static func clean(_ base: MutantBase, cache: String = standardCache) throws -> Bool {
    let folder = "\(cache)/\(base.name)"
    guard FileManager.default.fileExists(atPath: folder) else { return false }
    try FileManager.default.removeItem(atPath: folder)
    return true
  }

  /// `repro/mutants` in the user's cache folder.
  public static var standardCache: String {
    (KernelSource.standardCache as NSString).deletingLastPathComponent + "/mutants"
  }

  /// Applies all edits to the source without building.
  /// - Returns: the hashes of the functions that they are in, one line each, sorted.
  /// - Throws: LabError that names each edit which does not match exactly once.
  public func check(_ mutations: [Mutation]) throws -> MutantSources {
    var faults: [String] = []
    var sources = MutantSources(version: version)
    for mutation in mutations {
      do {
        _ = try build.tree.edited(mutation.widening, of: mutation.id)
        _ = try build.tree.edited(mutation.widening + mutation.edits, of: mutation.id)
        sources.checked[mutation.id] = mutation.hash
        for edit in mutation.widening + mutation.edits {
          let text = try build.tree.text(edit.file)
          guard let function = SourceFunction(edit.function, in: text) else { continue }
          sources.functions["\(edit.file) \(edit.function)"] = TextHash.of([function.text(in: text)])
        }
      } catch let fault as LabError {
        faults.append(fault.problem)
      }
    }
    guard faults.isEmpty else {
      throw LabError(faults.joined(separator: "; "), remedy: "correct the records for linux \(version)")
    }
    return sources
  }

  /// Builds what is not there yet.
  /// - Parameter progress: told before each kernel, with the time that is left.
  /// - Returns: the kernels, or the compiler's complaint, by the subjects' ids.
  /// - Throws: LabError when the base itself can't be built.
  public func kernels(
    _ subjects: [MutantSubject], progress: (String) -> Void
  ) async throws -> [String: Result<Kernel, LabError>] {
    var images: [(subject: MutantSubject, image: KernelBuild.Image)] = []
    for subject in subjects {
      let id = subject.edits.isEmpty ? Self.baseID : subject.id
      images.append((subject, try build.image(id, subject.edits)))
    }
    // The base first: whoever builds the rest does it in its objects.
    let base = try build.image(Self.baseID, [])
    let missing = images.map(\.image).filter { !$0.isBuilt && $0.id != Self.baseID }
    // Headers last: what includes them is compiled again for each, and once more after them.
    let all = (base.isBuilt ? [] : [base]) + missing.filter { !$0.hasHeader } + missing.filter(\.hasHeader)
    if !all.isEmpty {
      try DiskSpace.require(
        (build.isBegun ? 0 : DiskSpace.build) + all.count * DiskSpace.image, in: build.tree.folder,
        progress: progress)
    }
    var pace = BuildPace(all.map { kind($0, isFirst: !build.isBegun && $0.id == all.first?.id) })
    var failures: [String: LabError] = [:]
    for (index, image) in all.enumerated() {
      progress("building \(image.id) (\(index + 1) of \(all.count)), about \(pace.left) left")
      let start = ContinuousClock.now
      do {
        try await build.build(image)
      } catch let failure as LabError {
        if image.id == Self.baseID { throw failure }
        progress("\(failure)")
        failures[image.id] = failure
      }
      pace.done((ContinuousClock.now - start) / .seconds(1))
    }
    var kernels: [String: Result<Kernel, LabError>] = [:]
    for (subject, image) in images {
      kernels[subject.id] =
        try failures[image.id].map { .failure($0) }
        ?? .success(Kernel(name: subject.id, image: image.path))
    }
    return kernels
  }

  private func kind(_ image: KernelBuild.Image, isFirst: Bool) -> BuildPace.Kind {
    isFirst ? .whole : image.hasHeader ? .header : .file
  }
}

/// How long builds take, learnt from those that are done.
struct BuildPace {
  enum Kind: Hashable { case whole, header, file }

  private var waiting: [Kind]
  /// Seconds on two idle cores, until this machine has told its own.
  private var seconds: [Kind: Double] = [.whole: 420, .header: 40, .file: 20]

  init(_ waiting: [Kind]) { self.waiting = waiting }

  mutating func done(_ took: Double) {
    let kind = waiting.removeFirst()
    let factor = took / seconds[kind, default: took]
    // What one kind took tells of the machine, and so of the others.
    for (kind, value) in seconds { seconds[kind] = value * (1 + factor) / 2 }
  }

  var left: String {
    let total = waiting.reduce(0) { $0 + seconds[$1, default: 0] }
    return total < 90 ? "\(Int(total)) s" : "\(Int((total / 60).rounded())) min"
  }
}

/// What the cache takes, in bytes.
enum DiskSpace {
  static let source = 1500 << 20
  static let build = 700 << 20
  static let image = 4 << 20

  /// Says what is going to be used.
  /// - Throws: LabError when that is not free.
  static func require(_ bytes: Int, in folder: String, progress: (String) -> Void) throws {
    var about = statvfs()
    guard statvfs(folder, &about) == 0 else { return }
    let free = Int(about.f_bavail) * Int(about.f_frsize)
    progress("up to \(bytes >> 20) MiB will be written below \(folder); \(free >> 20) MiB are free")
    if free < bytes {
      throw LabError("\(folder): \(bytes >> 20) MiB are needed", remedy: "make room, or set XDG_CACHE_HOME")
    }
  }
}

/// Held while a cache is in use: two builds in one tree would build each other's edits.
final class FileLock: Sendable {
  private let descriptor: CInt

  private init(_ descriptor: CInt) { self.descriptor = descriptor }
  deinit { close(descriptor) }

  static func take(_ path: String, progress: (String) -> Void) async throws -> FileLock {
    let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw LabError("\(path): \(String(cString: strerror(errno)))", remedy: "make it writable")
    }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      progress("waiting for another run that uses the same source")
      while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
        do { try await Task.sleep(for: .milliseconds(200)) } catch {
          close(descriptor)
          throw error
        }
      }
    }
    return FileLock(descriptor)
  }
}
