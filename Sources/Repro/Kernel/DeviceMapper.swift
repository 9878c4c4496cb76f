import CKernel
import Glibc
import SystemPackage

/// Devices of the device mapper, each one target over all of it.
enum DeviceMapper {
  /// Where the device of that name is.
  static func path(_ name: String) -> String { "/dev/mapper/\(name)" }

  /// Makes the device, as large as the one at `first`.
  /// - Parameters:
  ///   - type: the target's: `linear`, `crypt`, `raid`.
  ///   - parameters: of the target (Documentation/admin-guide/device-mapper).
  static func make(
    _ name: String, _ type: String, _ parameters: String, sizeOf first: String
  ) throws(KernelError) {
    let disk = open(first, O_RDONLY | O_CLOEXEC)
    if disk < 0 { throw .last("open \(first)") }
    defer { close(disk) }
    var bytes: UInt64 = 0
    try check(ck_block_device_bytes(disk, &bytes), "size of \(first)")
    let number = try check(
      ck_dm_create(name, type, parameters, bytes / 512), "device mapper: \(type) \(name)")
    // What udev does elsewhere.
    if symlink("../dm-\(number)", path(name)) != 0, errno != EEXIST { throw .last("name \(path(name))") }
  }

  /// From now on I/O to the device waits in the kernel (DM_SUSPEND without flush or freezing of what lies above),
  /// or goes on.
  static func suspend(_ name: String, _ on: Bool) throws(KernelError) {
    try check(ck_dm_suspend(name, on ? 1 : 0), "device mapper: \(on ? "suspend" : "resume") \(name)")
  }
}
