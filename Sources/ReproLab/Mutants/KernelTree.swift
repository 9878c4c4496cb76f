import Foundation
import Glibc
import Repro

/// A kernel's source in the cache, with one build folder a configuration.
///
///     CACHE/6.12/source            the tree, unpacked from Debian's package
///     CACHE/6.12/originals         files of it as they were before an edit; empty between builds
///     CACHE/6.12/build-HASH        the objects of a configuration
///     CACHE/6.12/images/...        finished kernels
struct KernelTree: Sendable {
  /// Where all of it is.
  let folder: String
  /// `6.12.117`, from the tree's Makefile.
  let version: String

  var source: String { "\(folder)/source" }
  private var originals: String { "\(folder)/originals" }

  /// Opens a tree that is unpacked, and puts back what an interrupted build left edited.
  init?(existing folder: String) throws {
    guard let makefile = try? String(contentsOfFile: "\(folder)/source/Makefile", encoding: .utf8),
      let version = Self.version(makefile)
    else { return nil }
    self.folder = folder
    self.version = version
    try putBack()
  }

  /// The version that the head of a kernel's Makefile gives.
  static func version(_ makefile: String) -> String? {
    func value(_ name: String) -> String? {
      for line in makefile.split(separator: "\n").prefix(12) where line.hasPrefix("\(name) =") {
        return line.drop { $0 != "=" }.dropFirst().trimmingCharacters(in: .whitespaces)
      }
      return nil
    }
    guard let major = value("VERSION"), let minor = value("PATCHLEVEL"), let patch = value("SUBLEVEL") else {
      return nil
    }
    return "\(major).\(minor).\(patch)"
  }

  /// Downloads Debian's source package and unpacks it.
  static func fetch(
    suite: String, package: String, into folder: String, progress: (String) -> Void
  ) async throws -> KernelTree {
    let scratch = try ScratchFolder(in: folder, prefix: ".fetch")
    defer { scratch.remove() }
    let apt = try PrivateApt(suite: suite, folder: scratch.path)
    progress("reading the package list of \(suite)")
    try await apt.update()
    progress("downloading \(package), about 150 MB")
    let unpacked = scratch.appending("unpacked")
    try await apt.unpack([package], into: unpacked)
    let tarball = "\(unpacked)/usr/src/\(package).tar.xz"
    let tree = scratch.appending("source")
    try FileManager.default.createDirectory(atPath: tree, withIntermediateDirectories: true)
    progress("unpacking it")
    // Register tables of graphics cards are a fifth of the source, and nothing here includes them.
    let arguments = [
      "-xJf", tarball, "-C", tree, "--strip-components=1", "--exclude=*/drivers/gpu/drm/amd/include",
    ]
    let outcome = try await HostTool.tar.run(arguments)
    guard outcome.succeeded else {
      throw LabError(
        "\(package): cannot be unpacked: \(outcome.complaint)", remedy: "check the space in \(folder)")
    }
    guard rename(tree, "\(folder)/source") == 0, let opened = try KernelTree(existing: folder) else {
      throw LabError("\(package) has no kernel source", remedy: "name a linux-source package")
    }
    return opened
  }

  /// The text of a file of the tree.
  func text(_ file: String) throws -> String {
    guard let text = try? String(contentsOfFile: "\(source)/\(file)", encoding: .utf8) else {
      throw LabError("\(file): not in the source of \(version)", remedy: "correct the record's 'file'")
    }
    return text
  }

  /// The edited files of a mutation, by path.
  /// - Parameter edits: what to apply, in order.
  func edited(_ edits: [Mutation.Edit], of mutation: String) throws -> [String: String] {
    var files: [String: String] = [:]
    for edit in edits {
      files[edit.file] = try [edit].applied(to: try files[edit.file] ?? text(edit.file), of: mutation)
    }
    return files
  }

  /// Writes edited files into the tree while `work` runs; their originals are kept aside first, so that whoever
  /// comes after a crash finds and restores them.
  func with<Result>(_ files: [String: String], _ work: () async throws -> Result) async throws -> Result {
    do {
      for (file, text) in files {
        let kept = "\(originals)/\(file)"
        try FileManager.default.createDirectory(
          atPath: (kept as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try self.text(file).write(toFile: kept, atomically: true, encoding: .utf8)
        try text.write(toFile: "\(source)/\(file)", atomically: true, encoding: .utf8)
      }
      let result = try await work()
      try putBack()
      return result
    } catch {
      try putBack()
      throw error
    }
  }

  private func putBack() throws {
    for case let file as String in FileManager.default.enumerator(atPath: originals) ?? .init() {
      let kept = "\(originals)/\(file)"
      guard let text = try? String(contentsOfFile: kept, encoding: .utf8) else { continue }
      // Written anew and not renamed: make must see that it is newer than the object.
      try text.write(toFile: "\(source)/\(file)", atomically: true, encoding: .utf8)
    }
    if FileManager.default.fileExists(atPath: originals) {
      try FileManager.default.removeItem(atPath: originals)
    }
  }
}

extension HostTool {
  static let tar = HostTool(name: "tar", package: "tar")
  static let make = HostTool(name: "make", package: "make")
}
