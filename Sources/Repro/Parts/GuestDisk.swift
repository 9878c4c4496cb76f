import CKernel
import Glibc

/// A disk that guests have for those who ask for it: with a file system, a layer of the device mapper, or both.
public struct GuestDisk: Sendable, Equatable {
  /// What lies over the disk.
  public enum Layer: String, Sendable {
    /// Nothing.
    case plain
    /// A linear mapping, whose I/O waits while it is suspended.
    case suspendable
    /// dm-crypt.
    case encrypted
    /// RAID 1 of two disks (dm-raid, md's raid1), the first of them suspendable.
    case mirrored
  }

  /// Unique; files and devices are called after it.
  public let name: String
  /// What lies over the disk.
  public let layer: Layer
  /// The file system's name, which is also its module's; nil for a bare device.
  public let fileSystem: String?

  init(_ name: String, _ layer: Layer = .plain, fileSystem: String?) {
    self.name = name
    self.layer = layer
    self.fileSystem = fileSystem
  }

  /// Reads `NAME LAYER FILESYSTEM DEVICE...`, with `-` for no file system.
  /// - Returns: the disk and its devices; nil for what is no such line.
  public static func reading(_ line: Substring) -> (GuestDisk, devices: [String])? {
    let words = line.split(separator: " ").map(String.init)
    guard words.count > 3, let layer = Layer(rawValue: words[1]) else { return nil }
    let disk = GuestDisk(words[0], layer, fileSystem: words[2] == "-" ? nil : words[2])
    return disk.disks == words.count - 3 ? (disk, Array(words[3...])) : nil
  }

  /// How many disks it takes.
  public var disks: Int { layer == .mirrored ? 2 : 1 }

  /// The modules that its kernel needs.
  public var modules: [String] {
    let layers: [String] =
      switch layer {
      case .plain: []
      case .suspendable: ["dm-mod"]
      case .encrypted: ["dm-mod", "dm-crypt", "ecb", "xts", "aes_generic"]
      case .mirrored: ["dm-mod", "raid1", "dm-raid"]
      }
    return layers + (fileSystem.map { [$0] } ?? [])
  }

  /// Where its file system is mounted.
  public var folder: String { "/mnt/repro-\(name)" }

  /// The device that is suspended, by the device mapper's name.
  var suspended: String { layer == .mirrored ? Self.leg(name, 0) : name }

  /// The device mapper's name of a mirror's half.
  static func leg(_ name: String, _ number: Int) -> String { "\(name)-\(number)" }

  /// What is opened: the folder, or the device.
  var path: String { fileSystem == nil ? DeviceMapper.path(name) : folder }

  /// That it is there.
  var need: Need {
    let disk = self
    return Need("a disk with \(fileSystem ?? name)") {
      if disk.fileSystem != nil ? disk.isMounted : access(disk.path, F_OK) == 0 { return nil }
      let what = disk.fileSystem.map { "no \($0) is mounted on \(disk.path)" } ?? "there is no \(disk.path)"
      return
        "\(what): run it in a guest (repro vm) whose kernel has the modules \(disk.modules.joined(separator: ", "))"
    }
  }

  /// Numbers of statfs(2) (linux/magic.h).
  private static let magic: [String: Int64] = [
    "ext4": 0xef53, "xfs": 0x5846_5342, "btrfs": 0x9123_683e,
  ]

  /// A folder on its file system: the guest's disk, or where scratch files go if that is of the kind.
  var place: String? {
    [folder, TargetSpec.usualFolder].first { path in
      let file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      if file < 0 { return false }
      defer { close(file) }
      return fileSystem.map { ck_file_system(file) == Self.magic[$0] } ?? false
    }
  }

  /// A folder on its file system, for files that are mapped.
  var placeNeed: Need {
    let disk = self
    return Need("a folder on \(fileSystem ?? name)") {
      guard let place = disk.place else {
        return
          "neither \(disk.folder) nor \(TargetSpec.usualFolder) is on \(disk.fileSystem ?? disk.name): run it in a "
          + "guest (repro vm), or mount one there"
      }
      return access(place, W_OK) == 0 ? nil : "\(place) is not writable: run as root"
    }
  }

  /// Whether another file system than its parent's is in the folder.
  private var isMounted: Bool {
    var here = stat()
    var above = stat()
    return stat(folder, &here) == 0 && stat("\(folder)/..", &above) == 0 && here.st_dev != above.st_dev
  }
}
