import Glibc

/// What tests need of the machine, so that they are skipped where it is missing.
package enum Machine {
  package static let isRoot = geteuid() == 0

  /// Root and a FUSE device that opens: the held target can be made.
  package static let canHold: Bool = {
    let device = open("/dev/fuse", O_RDWR | O_CLOEXEC)
    if device >= 0 { close(device) }
    return device >= 0 && isRoot
  }()

  /// A tmpfs, which does no direct I/O.
  package static let hasSharedMemory = access("/dev/shm", W_OK) == 0
}
