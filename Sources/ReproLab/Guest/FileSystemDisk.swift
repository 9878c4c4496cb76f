import Foundation
import Glibc
import Repro
import SystemPackage

/// A disk of a guest with a file system on it, made on the host by the file system's own tools.
public struct FileSystemDisk: Sendable, Equatable {
  /// The file system's name, which is also its module's.
  public let fileSystem: String
  /// Where the guest mounts it.
  public let folder: String
  /// The guest's name of the disk: `/dev/vdc`.
  public let device: String

  /// MiB: the least that xfs takes, and a little.
  private static let size = 320

  private static let makers: [String: (tool: HostTool, options: [String])] = [
    "ext4": (HostTool(name: "mkfs.ext4", package: "e2fsprogs"), ["-q", "-F"]),
    "xfs": (HostTool(name: "mkfs.xfs", package: "xfsprogs"), ["-q", "-f"]),
    "btrfs": (HostTool(name: "mkfs.btrfs", package: "btrfs-progs"), ["-q", "-f"]),
  ]

  /// The disks that `cases` need.
  /// - Parameter first: how many disks the guest has besides.
  static func disks(of cases: [Case], after first: Int) -> [FileSystemDisk] {
    var disks: [FileSystemDisk] = []
    for mount in cases.flatMap(\.mounts)
    where !disks.contains(where: { $0.folder == mount.folder }) {
      let letter = Character(UnicodeScalar(UInt8(ascii: "a") + UInt8(first + disks.count)))
      disks.append(
        FileSystemDisk(fileSystem: mount.fileSystem, folder: mount.folder, device: "/dev/vd\(letter)"))
    }
    return disks
  }

  /// Makes the image, a sparse file of the file system's name.
  /// - Throws: LabError that names the package when the tool is missing.
  func make(in folder: ScratchFolder) async throws {
    let image = folder.appending(fileSystem)
    guard let maker = Self.makers[fileSystem] else {
      throw LabError("nothing makes a disk with \(fileSystem)", remedy: "name another target")
    }
    do {
      try Data().write(to: URL(fileURLWithPath: image))
      guard truncate(image, off_t(Self.size) << 20) == 0 else { throw Errno(rawValue: errno) }
    } catch {
      throw LabError("cannot make \(image): \(error)", remedy: "make room there or set TMPDIR")
    }
    let outcome = try await maker.tool.run(maker.options + [image])
    guard outcome.succeeded else {
      throw LabError(
        "\(maker.tool.name): \(outcome.complaint)", remedy: "look whether \(maker.tool.package) works here")
    }
  }
}
