import Foundation

/// A kernel ready to boot: its image and, if it has any, its modules.
public struct Kernel: Sendable, Equatable {
  /// How the user named it: a profile, a Debian package, a path.
  public private(set) var name: String
  /// The path of the image.
  public let image: String
  /// The release that the image says it is, as `uname -r` prints it.
  public let release: String
  /// The version line of the image: release, builder, build and date.
  public let banner: String
  /// The folder `.../lib/modules/RELEASE`, or nil for a kernel with all it needs built in.
  public let modules: String?

  /// Takes the image at `image` and looks for its modules.
  ///
  /// - Parameters:
  ///   - modules: the folder of the modules, or a folder above it; without it, the places that belong to the
  ///     image are tried (`/boot/vmlinuz-R` has `/lib/modules/R`), and having none is no error.
  ///   - architecture: what it is for; nil for x86-64.
  public init(
    name: String? = nil, image: String, modules: String? = nil, architecture: Architecture? = nil
  ) throws {
    let release: String
    if let architecture, architecture.machine != KernelImage.machine {
      let header = try ForeignImage(path: image, machine: architecture.machine)
      (release, banner) = (header.release, header.banner)
    } else {
      let header = try KernelImage(path: image)
      (release, banner) = (header.release, header.banner)
    }
    self.name = name ?? image
    self.image = image
    self.release = release
    if let modules {
      guard let found = Self.moduleFolder(of: release, under: modules) else {
        throw LabError(
          "\(modules): holds no modules of \(release)",
          remedy: "give the folder lib/modules/\(release), or no modules for a kernel without any")
      }
      self.modules = found
    } else {
      let folder = URL(fileURLWithPath: image).standardizedFileURL.deletingLastPathComponent()
      self.modules =
        [folder, folder.deletingLastPathComponent()]
        .compactMap { Self.moduleFolder(of: release, under: $0.path) }.first
    }
  }

  /// The same kernel under another name.
  func named(_ name: String) -> Kernel {
    var kernel = self
    kernel.name = name
    return kernel
  }

  /// The module folder of a release: `path` itself, or one of the usual places below it.
  static func moduleFolder(of release: String, under path: String) -> String? {
    let root = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    let places = ["/lib/modules/\(release)", "/usr/lib/modules/\(release)", "/\(release)"].map { root + $0 }
    let isNamed = URL(fileURLWithPath: root).lastPathComponent == release
    let candidates = places + (isNamed || exists("\(root)/modules.dep") ? [root] : [])
    return candidates.first { exists("\($0)/modules.dep") || exists("\($0)/kernel") }
  }

  private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}
