import Foundation
import Glibc
import Repro
import SystemPackage

/// Disks of a guest that its plan asks for, made on the host: with a file system, by that one's own tools, or empty.
public struct FileSystemDisk: Sendable, Equatable {
  /// What they are for.
  public let disk: GuestDisk
  /// The guest's names of them: `/dev/vdc`.
  public let devices: [String]

  /// MiB: the least that xfs takes, and a little.
  private static let size = 320
  /// MiB of a disk without a file system.
  private static let bareSize = 64

  private static let makers: [String: (tool: HostTool, options: [String])] = [
    "ext4": (HostTool(name: "mkfs.ext4", package: "e2fsprogs"), ["-q", "-F"]),
    "xfs": (HostTool(name: "mkfs.xfs", package: "xfsprogs"), ["-q", "-f"]),
    "btrfs": (HostTool(name: "mkfs.btrfs", package: "btrfs-progs"), ["-q", "-f"]),
  ]

  /// The disks that `cases` need.
  /// - Parameter first: how many disks the guest has besides.
  static func disks(of cases: [Case], after first: Int) -> [FileSystemDisk] {
    var disks: [FileSystemDisk] = []
    var count = first
    for disk in cases.flatMap(\.disks) where !disks.contains(where: { $0.disk == disk }) {
      let letters = (0..<disk.disks).map { Character(UnicodeScalar(UInt8(ascii: "a") + UInt8(count + $0))) }
      disks.append(FileSystemDisk(disk: disk, devices: letters.map { "/dev/vd\($0)" }))
      count += disk.disks
    }
    return disks
  }

  /// The names of the images, in the order of the devices.
  var images: [String] { devices.indices.map { "\(disk.name)-\($0)" } }

  /// What the guest is told: name, layer, file system or `-`, and the devices.
  var line: String {
    ([disk.name, disk.layer.rawValue, disk.fileSystem ?? "-"] + devices).joined(separator: " ")
  }

  /// Makes the images, sparse files.
  /// - Throws: LabError that names the package when the tool is missing.
  func make(in folder: ScratchFolder) async throws {
    for image in images {
      let path = folder.appending(image)
      do {
        try Data().write(to: URL(fileURLWithPath: path))
        let size = disk.fileSystem == nil ? Self.bareSize : Self.size
        guard truncate(path, off_t(size) << 20) == 0 else { throw Errno(rawValue: errno) }
      } catch {
        throw LabError("cannot make \(path): \(error)", remedy: "make room there or set TMPDIR")
      }
      if let fileSystem = disk.fileSystem { try await format(path, fileSystem) }
    }
  }

  private func format(_ image: String, _ fileSystem: String) async throws {
    guard let maker = Self.makers[fileSystem] else {
      throw LabError("nothing makes a disk with \(fileSystem)", remedy: "name another target")
    }
    let outcome = try await maker.tool.run(maker.options + [image])
    guard outcome.succeeded else {
      throw LabError(
        "\(maker.tool.name): \(outcome.complaint)", remedy: "look whether \(maker.tool.package) works here")
    }
  }
}
