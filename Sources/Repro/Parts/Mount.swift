import CKernel
import Glibc

/// A disk with a file system that a part needs. Guests get one; another machine has whatever it has.
public struct Mount: Sendable, Equatable {
  /// The file system's name, which is also its module's.
  public let fileSystem: String

  /// Where a guest mounts the disk.
  public var folder: String { "/mnt/repro-\(fileSystem)" }

  /// Where files go when nobody names a place: on disk, unlike /tmp of many machines.
  static let scratchFolder = "/var/tmp"

  /// Numbers of statfs(2) (linux/magic.h).
  private static let magic: [String: Int64] = [
    "ext4": 0xef53, "xfs": 0x5846_5342, "btrfs": 0x9123_683e,
  ]

  /// Whether another file system than its parent's is mounted on ``folder``.
  var isMounted: Bool {
    var here = stat()
    var above = stat()
    return stat(folder, &here) == 0 && stat("\(folder)/..", &above) == 0 && here.st_dev != above.st_dev
  }

  /// A folder on the file system: a guest's disk, or the scratch folder if that is of the kind.
  var place: String? {
    [folder, Self.scratchFolder].first { path in
      let file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      if file < 0 { return false }
      defer { close(file) }
      return ck_file_system(file) == Self.magic[fileSystem]
    }
  }

  /// A folder on it, for files that are mapped.
  var need: Need {
    let mount = self
    return Need("a folder on \(fileSystem)") {
      guard let place = mount.place else {
        return
          "neither \(mount.folder) nor \(Self.scratchFolder) is on \(mount.fileSystem): run it in a guest "
          + "(repro vm), or mount one there"
      }
      return access(place, W_OK) == 0 ? nil : "\(place) is not writable: run as root"
    }
  }
}
