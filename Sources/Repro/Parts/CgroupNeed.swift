import Glibc

extension Need {
  /// A hierarchy of control groups with the memory controller, in which groups may be made.
  static let memoryCgroup = cgroup(.memory, option: "CONFIG_MEMCG")
  /// The same with the cpuset controller.
  static let cpusetCgroup = cgroup(.cpuset, option: "CONFIG_CPUSETS")
  /// The same, where a change of nodes moves the memory that is there.
  static let movingCpuset = Need("a cpuset cgroup that moves memory") {
    if let missing = cpusetCgroup.missing() { return missing }
    return Cgroup.hierarchy(of: .cpuset)?.isUnified == false || Cgroup.unifiedMovesMemory
      ? nil
      : lack(
        "a cpuset of version 2 that moves memory", "mount -t cgroup -o cpuset, or boot Linux 5.16 or later")
  }

  private static func cgroup(_ controller: Cgroup.Controller, option: String) -> Need {
    Need("a \(controller.rawValue) cgroup") {
      guard let hierarchy = Cgroup.hierarchy(of: controller) else {
        return "no mounted cgroup hierarchy has the \(controller.rawValue) controller: build the kernel with "
          + "\(option)=y, and mount -t cgroup2 none /sys/fs/cgroup"
      }
      return access(hierarchy.mountPoint, W_OK) == 0
        ? nil : "\(hierarchy.mountPoint) is not writable: run as root, outside of a container"
    }
  }
}
