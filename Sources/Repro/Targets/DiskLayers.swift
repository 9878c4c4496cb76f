import Glibc

extension GuestDisk {
  /// Makes the layer over devices of a guest, which ends with its kernel.
  /// - Parameter devices: paths, as many as ``disks``.
  /// - Returns: the path of what is on top.
  public func assemble(over devices: [String]) throws(KernelError) -> String {
    switch layer {
    case .plain: return devices[0]
    case .suspendable: try DeviceMapper.make(name, "linear", "\(devices[0]) 0", sizeOf: devices[0])
    case .encrypted:
      // A key that everybody knows: what is tried is the path.
      let key = String(repeating: "5a", count: 32)
      try DeviceMapper.make(
        name, "crypt", "aes-xts-plain64 \(key) 0 \(devices[0]) 0", sizeOf: devices[0])
    case .mirrored:
      let legs = (0..<2).map { Self.leg(name, $0) }
      for (leg, device) in zip(legs, devices) {
        try DeviceMapper.make(leg, "linear", "\(device) 0", sizeOf: device)
      }
      let halves = legs.map { "- \(DeviceMapper.path($0))" }.joined(separator: " ")
      try DeviceMapper.make(name, "raid", "raid1 2 0 nosync 2 \(halves)", sizeOf: devices[0])
    }
    return DeviceMapper.path(name)
  }
}

extension TargetKind {
  /// A disk whose I/O waits in the device mapper.
  public static let suspended = layered(
    GuestDisk("suspended", .suspendable, fileSystem: nil), .block, [.staged],
    "a disk under a device-mapper device that is suspended while its I/O is in flight")
  /// A file of btrfs on such a disk, with checksums.
  public static let suspendedBtrfs = layered(
    GuestDisk("suspended-btrfs", .suspendable, fileSystem: "btrfs"), .btrfs, [.staged],
    "an unnamed file on btrfs, on a disk that is suspended while its I/O is in flight")
  /// Two disks with the same content.
  public static let raid1 = layered(
    GuestDisk("raid1", .mirrored, fileSystem: nil), .raid1, [.staged, .race],
    "RAID 1 of two disks (md's raid1 under dm-raid), of which one is suspended while I/O is in flight")
  /// A disk with dm-crypt.
  public static let crypt = layered(
    GuestDisk("crypt", .encrypted, fileSystem: nil), .block, [.staged, .race],
    "an encrypted disk (dm-crypt); runs free, or is held by a fault")

  private static func layered(
    _ disk: GuestDisk, _ path: IOPath, _ schedules: Set<Schedule>, _ summary: String
  ) -> TargetKind {
    TargetKind(
      disk.name, summary, schedules: schedules, path: path, takesPath: true,
      holdsByFault: disk.layer == .encrypted, disk: disk, c: nil,
      withoutC: "export --target scratch, and give the program the device"
    ) { spec, pattern throws(TargetError) in
      guard spec.path == nil else {
        throw .missing("\(disk.name) takes no path; --target PATH names any file or device")
      }
      if let missing = disk.need.missing() { throw .missing(missing) }
      var layers = ScratchFile.Layers(path: path)
      if disk.layer != .encrypted { layers.hold = SuspendHold(disk) }
      if disk.layer == .mirrored {
        layers.copies = (0..<2).map { DeviceMapper.path(GuestDisk.leg(disk.name, $0)) }
      }
      return try ScratchFile(
        path: disk.path, overwrite: disk.fileSystem == nil, length: ScratchFile.longestTransfer,
        pattern: pattern,
        layers)
    }
  }
}
