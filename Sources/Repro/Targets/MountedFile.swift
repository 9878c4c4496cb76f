extension TargetKind {
  /// An unnamed file on a disk with ext4.
  public static let ext4 = mounted("ext4", .block, [.race, .staged])
  /// An unnamed file on a disk with xfs.
  public static let xfs = mounted("xfs", .block, [.race, .staged])
  /// An unnamed file on a disk with btrfs, which takes pages with faults disabled and at a fault lets go of
  /// those that it has: no fault can hold its I/O.
  public static let btrfs = mounted("btrfs", .btrfs, [.race])

  /// What has to be mounted for the kind's cases; nil for kinds that mount nothing.
  public var mount: Mount? { fileSystem.map(Mount.init) }

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
      guard let mount = spec.kind.mount, spec.path == nil else {
        throw .missing("\(fileSystem) takes no path; --target PATH names a folder on any file system")
      }
      guard mount.isMounted else {
        throw .missing(
          "no \(fileSystem) is mounted on \(mount.folder): run it in a guest (repro vm), or name a folder on one with "
            + "--target PATH")
      }
      return try ScratchFile(
        path: mount.folder, overwrite: false, length: ScratchFile.longestTransfer, pattern: pattern)
    }
  }
}
