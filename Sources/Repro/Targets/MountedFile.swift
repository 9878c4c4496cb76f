extension TargetKind {
  /// An unnamed file on a disk with ext4.
  public static let ext4 = mounted("ext4", .block, [.race, .staged, .free])
  /// An unnamed file on a disk with xfs.
  public static let xfs = mounted("xfs", .block, [.race, .staged, .free])
  /// An unnamed file on a disk with btrfs, which takes pages with faults disabled and at a fault lets go of
  /// those that it has: no fault can hold its I/O.
  public static let btrfs = mounted("btrfs", .btrfs, [.race, .free])

  private static func mounted(
    _ fileSystem: String, _ path: IOPath, _ schedules: Set<Schedule>
  ) -> TargetKind {
    let holds = schedules.contains(.staged)
    let disk = GuestDisk(fileSystem, fileSystem: fileSystem)
    return TargetKind(
      fileSystem,
      "an unnamed file on \(fileSystem), on a disk that guests have; runs free"
        + (holds ? ", or is held by a fault" : ""),
      schedules: schedules, path: path, takesPath: true, holdsByFault: holds, disk: disk, c: nil,
      withoutC: "export --target scratch, and give the program a folder on \(fileSystem)"
    ) { spec, pattern throws(TargetError) in
      guard spec.path == nil else {
        throw .missing("\(fileSystem) takes no path; --target PATH names a folder on any file system")
      }
      if let missing = disk.need.missing() {
        throw .missing("\(missing), or name a folder on one with --target PATH")
      }
      return try ScratchFile(
        path: disk.folder, overwrite: false, length: ScratchFile.longestTransfer, pattern: pattern)
    }
  }
}
