import Foundation
import Repro

/// Kernels as distributions ship them: a `.deb`, an `.rpm`, or a folder of either, unpacked over each other.
///
/// A kernel may be several packages (image, modules), which is what the folder is for. What was unpacked is kept,
/// and used again as long as the files have not changed.
public struct PackagedKernel: Sendable, Equatable {
  /// As the user named it.
  public let path: String
  private let files: [String]

  /// Understands a package, or a folder with packages in it; nil for any other path.
  /// - Throws: LabError for a package that is not there.
  init?(path: String) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    if exists, isFolder.boolValue {
      files = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter(Self.isPackage)
        .sorted().map { "\(path)/\($0)" }
      if files.isEmpty { return nil }
    } else if Self.isPackage(path) {
      guard exists else { throw LabError("\(path): no such package", remedy: "check the path") }
      files = [path]
    } else {
      return nil
    }
    self.path = path
  }

  private static func isPackage(_ name: String) -> Bool { name.hasSuffix(".deb") || name.hasSuffix(".rpm") }

  /// Unpacks it, or finds it unpacked.
  func resolve(
    for architecture: Architecture?, cache: String, progress: (String) -> Void
  ) async throws -> Kernel {
    let remedy = "give the package with the image, or a folder with all packages of the kernel"
    let entry = "\(cache)/packages/\(try fingerprint())"
    if !FileManager.default.fileExists(atPath: entry) {
      let scratch = try ScratchFolder(in: cache, prefix: ".unpack")
      defer { scratch.remove() }
      let tree = scratch.appending("unpacked")
      try FileManager.default.createDirectory(atPath: tree, withIntermediateDirectories: true)
      progress("unpacking \(files.count == 1 ? files[0] : "\(files.count) packages in \(path)")")
      for file in files { try await unpack(file, into: tree) }
      _ = try Kernel(unpacked: tree, name: path, architecture: architecture, remedy: remedy)
      try DebianKernel.place(tree, at: entry, aside: nil)
    }
    return try Kernel(unpacked: entry, name: path, architecture: architecture, remedy: remedy)
  }

  private func unpack(_ file: String, into tree: String) async throws {
    // bsdtar reads both, whatever compressed them; dpkg is there wherever .deb files are at home.
    let isDeb = file.hasSuffix(".deb")
    let hasDpkg = await HostTool.dpkg.path() != nil
    let outcome =
      isDeb && hasDpkg
      ? try await HostTool.dpkg.run(["-x", file, tree])
      : isDeb
        ? try await unpackArchive(file, tree) : try await HostTool.bsdtar.run(["-xf", file, "-C", tree])
    guard outcome.succeeded else {
      throw LabError("\(file): cannot be unpacked: \(outcome.complaint)", remedy: "download it again")
    }
  }

  /// A .deb without dpkg: an archive with the archive of files in it.
  private func unpackArchive(_ file: String, _ tree: String) async throws -> HostTool.Outcome {
    let inner = tree + ".inner"
    try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: inner) }
    let outer = try await HostTool.bsdtar.run(["-xf", file, "-C", inner])
    let names = (try? FileManager.default.contentsOfDirectory(atPath: inner)) ?? []
    guard outer.succeeded, let data = names.first(where: { $0.hasPrefix("data.tar") }) else { return outer }
    return try await HostTool.bsdtar.run(["-xf", "\(inner)/\(data)", "-C", tree])
  }

  /// Names, sizes and times of the files, folded to a word (FNV-1a).
  private func fingerprint() throws -> String {
    let lines = files.map { file in
      let about = try? FileManager.default.attributesOfItem(atPath: file)
      let time = (about?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
      return "\(URL(fileURLWithPath: file).standardizedFileURL.path) \(about?[.size] ?? 0) \(time)\n"
    }
    return String(FNV1a.hash(lines.joined().utf8), radix: 16)
  }
}
