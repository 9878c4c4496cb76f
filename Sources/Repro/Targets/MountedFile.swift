import CKernel
import Glibc

extension TargetKind {
  /// An unnamed file on a disk with ext4.
  public static let ext4 = mounted("ext4", .block, [.race, .staged, .free])
  /// An unnamed file on a disk with xfs.
  public static let xfs = mounted("xfs", .block, [.race, .staged, .free])
  /// An unnamed file on a disk with btrfs, which takes pages with faults disabled and at a fault lets go of
  /// those that it has: no fault can hold its I/O.
  public static let btrfs = mounted("btrfs", .btrfs, [.race, .free])

  /// What has to be mounted, and where, for the kind's cases; nil for kinds that mount nothing. Guests get a
  /// disk of that file system.
  public var mount: (fileSystem: String, folder: String)? {
    fileSystem.map { ($0, "/mnt/repro-\($0)") }
  }

  private static func mounted(
    _ fileSystem: String, _ path: IOPath, _ schedules: Set<Schedule>
  ) -> TargetKind {
    let holds = schedules.contains(.staged)
    return TargetKind(
      fileSystem,
      "an unnamed file on \(fileSystem), on a disk that guests have; runs free"
        + (holds ? ", or is held by a fault" : ""),
      schedules: schedules, path: path, takesPath: true, holdsByFault: holds, fileSystem: fileSystem, c: nil
    ) { spec, pattern throws(TargetError) in
      guard let folder = spec.kind.mount?.folder, spec.path == nil else {
        throw .missing("\(fileSystem) takes no path; --target PATH names a folder on any file system")
      }
      guard KernelFile.isMountPoint(folder) else {
        throw .missing(
          "no \(fileSystem) is mounted on \(folder): run it in a guest (repro vm), or name a folder on one with "
            + "--target PATH")
      }
      return try ScratchFile(
        path: folder, overwrite: false, length: ScratchFile.longestTransfer, pattern: pattern)
    }
  }
}

extension KernelFile {
  /// Whether another file system than its parent's is mounted there.
  fileprivate static func isMountPoint(_ folder: String) -> Bool {
    var here = stat()
    var above = stat()
    return stat(folder, &here) == 0 && stat("\(folder)/..", &above) == 0 && here.st_dev != above.st_dev
  }
}
