import Foundation

/// Where a kernel comes from, as the user names it.
///
///     6.12                                        a line of fixtures/kernels.txt
///     debian:bookworm/linux-image-cloud-amd64     a package, downloaded and unpacked but never installed
///     ~/linux/arch/x86/boot/bzImage               a file
///     ~/linux-image-6.1_amd64.deb, ~/rpms         a package, or a folder of packages
public enum KernelSource: Sendable, Equatable {
  /// A bzImage, and the folder of its modules if it needs any.
  case image(path: String, modules: String?)
  /// A package file, or a folder of such.
  case packages(PackagedKernel)
  /// A package of a Debian suite.
  case debian(DebianKernel)
  /// A kernel of the built-in list.
  case profile(KernelProfile)

  /// Understands what the user wrote.
  ///
  /// - Parameter modules: the modules of an image given as a path; the other sources bring their own.
  public init(
    parsing text: String, modules: String? = nil, profiles: [KernelProfile] = KernelProfiles.standard
  ) throws {
    if let debian = try DebianKernel(parsing: text) {
      self = .debian(debian)
    } else if let profile = profiles.first(where: { $0.name == text }) {
      self = .profile(profile)
    } else if let packages = try PackagedKernel(path: (text as NSString).expandingTildeInPath) {
      self = .packages(packages)
    } else if text.contains("/") || FileManager.default.fileExists(atPath: text) {
      self = .image(path: (text as NSString).expandingTildeInPath, modules: modules)
      return
    } else {
      let names = profiles.map(\.name).joined(separator: ", ")
      throw LabError(
        "'\(text)' is no kernel",
        remedy: "give \(names.isEmpty ? "" : "one of \(names), ")debian:SUITE/PACKAGE or a path")
    }
    if modules != nil {
      throw LabError("\(text) brings its own modules", remedy: "give a modules folder only with a path")
    }
  }

  /// Makes the kernel available, which for a package may mean a download of 20 to 40 MB.
  ///
  /// - Parameters:
  ///   - architecture: what it is for; nil for x86-64.
  ///   - cache: where downloaded kernels are kept.
  ///   - refresh: ask the mirror again, though the cache has an answer.
  ///   - progress: told in a few words before each step that takes long.
  public func resolve(
    for architecture: Architecture? = nil, cache: String = KernelSource.standardCache, refresh: Bool = false,
    progress: @Sendable (String) -> Void = { _ in }
  ) async throws -> Kernel {
    switch self {
    case .image(let path, let modules):
      return try Kernel(image: path, modules: modules, architecture: architecture)
    case .packages(let packages):
      return try await packages.resolve(for: architecture, cache: cache, progress: progress)
    case .debian(let package):
      return try await package.resolve(
        for: architecture, cache: cache, refresh: refresh, progress: progress)
    case .profile(let profile):
      let source = try KernelSource(parsing: profile.source, profiles: [])
      let kernel = try await source.resolve(
        for: architecture, cache: cache, refresh: refresh, progress: progress)
      guard profile.admits(release: kernel.release) else {
        throw LabError(
          "\(profile.source) is \(kernel.release) now, not \(profile.name)",
          remedy: "name the source itself, or list the new version in kernels.txt")
      }
      return kernel.named(profile.name)
    }
  }

  /// Makes several kernels available, or says in one line what is wrong with each that is none.
  ///
  /// All names are read before the first download: a slip in the last must not cost the others' time.
  public static func resolve(
    all names: [(kernel: String, architecture: Architecture?)], cache: String = KernelSource.standardCache,
    progress: @Sendable (String) -> Void = { _ in }
  ) async throws -> [Kernel] {
    var faults: [LabError] = []
    var sources: [(kernel: KernelSource, architecture: Architecture?)] = []
    for (name, architecture) in names {
      do {
        let profiles = architecture?.kernels ?? KernelProfiles.standard
        sources.append((try KernelSource(parsing: name, profiles: profiles), architecture))
      } catch let fault as LabError {
        faults.append(fault)
      }
    }
    var kernels: [Kernel] = []
    for (source, architecture) in sources where faults.isEmpty || source.isFile {
      do {
        kernels.append(try await source.resolve(for: architecture, cache: cache, progress: progress))
      } catch let fault as LabError {
        faults.append(fault)
      }
    }
    guard let first = faults.first else { return kernels }
    if faults.count == 1 { throw first }
    throw LabError(faults.map(\.problem).joined(separator: "; "), remedy: first.remedy)
  }

  private var isFile: Bool {
    switch self {
    case .image, .packages: true
    case .debian, .profile: false
    }
  }

  /// `repro/kernels` in the user's cache folder.
  public static var standardCache: String {
    let environment = ProcessInfo.processInfo.environment
    let base = environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    return (base ?? NSHomeDirectory() + "/.cache") + "/repro/kernels"
  }
}
