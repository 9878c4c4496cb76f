import Foundation
import Repro

/// Kernels built from a tree with one configuration, and kept by what they are made of.
struct KernelBuild: Sendable {
  let tree: KernelTree
  /// The fragment of the configuration; all else is tinyconfig's.
  let config: String
  /// Compilers at a time.
  let jobs: Int

  /// What a finished kernel is called: the same source, configuration and edits give the same name.
  struct Image: Sendable {
    /// The mutation, or `base`.
    let id: String
    /// The path of its bzImage.
    let path: String
    /// The files that differ from the tree's.
    let files: [String: String]

    var isBuilt: Bool { FileManager.default.fileExists(atPath: path) }
    /// Whether a header is edited: then more is compiled.
    var hasHeader: Bool { files.keys.contains { $0.hasSuffix(".h") } }
  }

  private var key: String { TextHash.of([tree.version, config]) }
  private var folder: String { "\(tree.folder)/build-\(key)" }
  /// Whether the base was built here, so that what follows is short.
  var isBegun: Bool { FileManager.default.fileExists(atPath: "\(folder)/arch/x86/boot/bzImage") }

  /// The kernel of some edits.
  func image(_ id: String, _ edits: [Mutation.Edit]) throws -> Image {
    let files = try tree.edited(edits, of: id)
    let hash = TextHash.of(files.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] })
    return Image(id: id, path: "\(tree.folder)/images/\(key)/\(id)-\(hash)", files: files)
  }

  /// Builds a kernel that is not there.
  /// - Throws: LabError with the compiler's lines.
  func build(_ image: Image) async throws {
    let files = FileManager.default
    try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
    if !files.fileExists(atPath: "\(folder)/.config") { try await configure() }
    try await tree.with(image.files) {
      try await make(["-j\(jobs)", "bzImage"], for: image.id)
      try files.createDirectory(
        atPath: (image.path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      // Under another name first: a half-written image must not pass for one.
      try? files.removeItem(atPath: image.path + ".part")
      try files.copyItem(atPath: "\(folder)/arch/x86/boot/bzImage", toPath: image.path + ".part")
      try? files.removeItem(atPath: image.path)
      try files.moveItem(atPath: image.path + ".part", toPath: image.path)
    }
  }

  /// tinyconfig, the fragment over it, and what follows from both; a line of the fragment that did not survive
  /// is an error.
  private func configure() async throws {
    try await make(["tinyconfig"], for: "the configuration")
    let path = "\(folder)/.config"
    let merged = try String(contentsOfFile: path, encoding: .utf8) + "\n" + config
    try merged.write(toFile: path, atomically: true, encoding: .utf8)
    try await make(["olddefconfig"], for: "the configuration")
    let made = Set(try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n"))
    let lost = KernelConfig.settings(config).filter { !made.contains(Substring($0)) }
    guard lost.isEmpty else {
      try? FileManager.default.removeItem(atPath: path)
      throw LabError(
        "linux \(tree.version) does not take \(lost.joined(separator: ", "))",
        remedy: "correct the configuration's fragment")
    }
  }

  private func make(_ goals: [String], for what: String) async throws {
    try BuildTools.require()
    let nice = HostTool(name: "nice", package: "coreutils")
    // The same name whoever builds and whenever: images differ by their edits alone.
    let fixed = [
      "KBUILD_BUILD_USER=repro", "KBUILD_BUILD_HOST=mutants", "KBUILD_BUILD_TIMESTAMP=2000-01-01",
      "KBUILD_BUILD_VERSION=1",
    ]
    let outcome = try await nice.run(
      ["-n", "10", "make", "-s", "-C", tree.source, "O=\(folder)"] + fixed + goals)
    guard outcome.succeeded else {
      throw LabError(
        "\(what) does not compile: \(Self.complaint(outcome.errors))", remedy: "correct its record")
    }
  }

  /// The compiler's own lines of what make printed: those with an error, and the code that they show.
  static func complaint(_ errors: String) -> String {
    let lines = errors.split(separator: "\n").map(String.init)
    let wanted = lines.indices.filter { index in
      lines[index].contains(" error: ") || lines[index].contains("undefined reference")
        || index > 0 && lines[index - 1].contains(" error: ")
    }
    let chosen = wanted.isEmpty ? Array(lines.suffix(3)) : wanted.prefix(8).map { lines[$0] }
    return chosen.map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: " | ")
  }
}

/// A fragment of a kernel's configuration.
enum KernelConfig {
  /// Its settings, without those below a line `# from VERSION` that is later than the kernel's.
  static func lines(_ fragment: String, of version: String) -> [String] {
    let ours = KernelVersion(version)
    var isKnown = true
    return fragment.split(separator: "\n").map(String.init).filter { line in
      if line.hasPrefix("# from "), let first = KernelVersion(String(line.dropFirst("# from ".count))) {
        isKnown = ours.map { ($0.major, $0.minor) >= (first.major, first.minor) } ?? true
      }
      return isKnown && line.hasPrefix("CONFIG_")
    }
  }

  /// Its lines as the finished file has them: `CONFIG_X=n` is written as a comment there.
  static func settings(_ fragment: String) -> [String] {
    fragment.split(separator: "\n").filter { $0.hasPrefix("CONFIG_") }.map { line in
      line.hasSuffix("=n") ? "# \(line.dropLast(2)) is not set" : String(line)
    }
  }
}

/// What building a kernel takes besides the compiler.
enum BuildTools {
  private static let needed: [(file: [String], package: String)] = [
    (["/usr/bin/gcc"], "gcc"), (["/usr/bin/make"], "make"), (["/usr/bin/flex"], "flex"),
    (["/usr/bin/bison"], "bison"), (["/usr/bin/bc"], "bc"), (["/usr/bin/perl"], "perl"),
    (["/usr/bin/xz"], "xz-utils"), (["/usr/include/libelf.h"], "libelf-dev"),
  ]

  /// - Throws: LabError that names every package that is missing.
  static func require() throws {
    let missing = needed.filter { !$0.file.contains(where: FileManager.default.fileExists(atPath:)) }
    guard missing.isEmpty else {
      let packages = missing.map(\.package).joined(separator: " ")
      throw LabError("building kernels needs \(packages)", remedy: "apt-get install \(packages)")
    }
  }
}
