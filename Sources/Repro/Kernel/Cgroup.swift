import CKernel
import Glibc
import SystemPackage

/// A control group of this process's own, right below the root of its controller's hierarchy: version 2 where
/// that has the controller, else version 1 (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/).
public struct Cgroup: Sendable, Equatable {
  /// What it controls.
  public enum Controller: String, Sendable {
    /// Memory that is charged to it, and its limits.
    case memory
    /// The NUMA nodes and CPUs that its processes may use.
    case cpuset
  }

  /// Where the groups of a controller are.
  struct Hierarchy: Sendable {
    let controller: Controller
    let isUnified: Bool
    /// Where it is mounted, and which group of it is the root there.
    let mountPoint: String
    let root: String

    /// The group of this process.
    func own() throws(KernelError) -> String {
      let lines = try KernelFile.read("/proc/self/cgroup").split(separator: "\n")
      for line in lines {
        let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(
          String.init)
        guard parts.count == 3 else { continue }
        let names = parts[1].split(separator: ",").map(String.init)
        guard isUnified ? parts[0] == "0" && names.isEmpty : names.contains(controller.rawValue) else {
          continue
        }
        let below =
          root != "/" && parts[2].hasPrefix(root) ? String(parts[2].dropFirst(root.count)) : parts[2]
        return below == "/" ? mountPoint : mountPoint + below
      }
      throw KernelError("find this process in /proc/self/cgroup", .noSuchFileOrDirectory)
    }

    /// What lets the groups below the root have the controller; nil where all have it.
    var enabling: String? { isUnified ? "\(mountPoint)/cgroup.subtree_control" : nil }
  }

  let hierarchy: Hierarchy
  /// Its folder.
  let path: String
  private static let prefix = "repro."

  /// The group of that name; nothing is made.
  /// - Throws: KernelError where the controller is in no hierarchy that is mounted.
  init(_ controller: Controller, _ name: String) throws(KernelError) {
    guard let found = Self.hierarchy(of: controller) else {
      throw KernelError("find a mounted cgroup hierarchy with \(controller.rawValue)", .noSuchFileOrDirectory)
    }
    hierarchy = found
    path = "\(found.mountPoint)/\(Self.prefix)\(getpid()).\(name)"
  }

  /// Groups are told apart by where they are.
  public static func == (one: Cgroup, other: Cgroup) -> Bool { one.path == other.path }

  /// The mounted hierarchy that has the controller.
  static func hierarchy(of controller: Controller) -> Hierarchy? {
    let mounts = ((try? KernelFile.read("/proc/self/mountinfo")) ?? "").split(separator: "\n")
    var version1: Hierarchy?
    for mount in mounts {
      // ID, parent, device, root, mount point, ..., "-", type, source, options of the file system
      let words = mount.split(separator: " ").map(String.init)
      guard words.count > 8, let dash = words.firstIndex(of: "-"), dash + 3 < words.count else { continue }
      let found = Hierarchy(
        controller: controller, isUnified: words[dash + 1] == "cgroup2", mountPoint: words[4], root: words[3])
      if found.isUnified {
        let has = (try? KernelFile.read("\(words[4])/cgroup.controllers")) ?? ""
        if has.split(separator: " ").contains(Substring(controller.rawValue)) { return found }
      } else if words[dash + 1] == "cgroup",
        words[dash + 3].split(separator: ",").contains(Substring(controller.rawValue))
      {
        version1 = version1 ?? found
      }
    }
    return version1
  }

  /// Whether a change of version 2's cpuset.mems moves what is there already: since 5.16 (ee9707e8593d).
  public static var unifiedMovesMemory: Bool {
    KernelVersion.running.map { $0 >= KernelVersion(5, 16) } ?? false
  }

  // MARK: Making and removing

  /// Makes the group; what its controller must be told before a process may enter is told.
  func make() throws(KernelError) {
    if mkdir(path, 0o755) != 0 { throw .last("make \(path)") }
    guard hierarchy.controller == .cpuset, !hierarchy.isUnified else { return }
    for file in ["cpuset.cpus", "cpuset.mems"] {
      try write(file, try KernelFile.read("\(hierarchy.mountPoint)/\(file)"))
    }
    try write("cpuset.memory_migrate", "1")
  }

  /// Moves this process in, with all of its threads.
  func enter() throws(KernelError) { try write("cgroup.procs", "0") }

  /// Ends the group at `path`: whoever is still there goes to the group at `origin`.
  static func remove(_ path: String, to origin: String) throws(KernelError) {
    for attempt in 0..<100 {
      for pid in try KernelFile.read("\(path)/cgroup.procs").split(separator: "\n") {
        // Who has ended meanwhile need not go.
        try? KernelFile.write("\(origin)/cgroup.procs", String(pid))
      }
      if rmdir(path) == 0 || errno == ENOENT { return }
      if errno != EBUSY || attempt == 99 { throw .last("remove \(path)") }
      usleep(10_000)  // a process that is dying still counts
    }
  }

  /// Whether `path` is that of a group which some run made.
  static func isOurs(_ path: String) -> Bool {
    let name = path.split(separator: "/").last ?? ""
    return name.hasPrefix(prefix) && isInHierarchy(path)
  }

  /// Whether `path` is in a hierarchy of groups, by statfs(2) (linux/magic.h).
  static func isInHierarchy(_ path: String) -> Bool {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    if file < 0 { return errno == ENOENT }  // gone with its group
    defer { close(file) }
    return [0x27_e0eb, 0x6367_7270].contains(ck_file_system(file))
  }

  // MARK: Its files

  func read(_ file: String) throws(KernelError) -> String { try KernelFile.read("\(path)/\(file)") }
  func write(_ file: String, _ text: String) throws(KernelError) {
    try KernelFile.write("\(path)/\(file)", text)
  }

  /// Takes all memory that is charged to the group, as far as the kernel can. Version 2's `memory.reclaim` (5.19,
  /// 94968384dde1) goes the way that a limit goes, and lowers none: who is above `memory.high` when a call returns
  /// sleeps for up to two seconds (mem_cgroup_handle_over_high). Without it, by a limit that is nothing for a moment:
  /// `memory.high` reclaims at once and kills nobody (memory_high_write); version 1's is not lowered if it can't be met.
  func reclaim() throws(KernelError) {
    if hierarchy.isUnified, access("\(path)/memory.reclaim", W_OK) == 0 {
      // It is told when less could be taken, as where a page is held: what became of which is pagemap's to say.
      let all = try read("memory.current")
      return try write("memory.reclaim", all, tolerating: [.resourceTemporarilyUnavailable])
    }
    let (file, none) = hierarchy.isUnified ? ("memory.high", "max") : ("memory.limit_in_bytes", "-1")
    try write(file, "0", tolerating: [.resourceBusy])
    try write(file, none)
  }

  private func write(_ file: String, _ text: String, tolerating: Set<Errno>) throws(KernelError) {
    do throws(KernelError) {
      try write(file, text)
    } catch {
      guard error.errno == .interrupted || tolerating.contains(error.errno) else { throw error }
    }
  }

  /// What /proc/kpagecgroup says of frames that are charged to the group.
  var inode: UInt64? { Self.inode(of: path) }
  /// The same for the group above.
  var parentInode: UInt64? { Self.inode(of: hierarchy.mountPoint) }

  private static func inode(of path: String) -> UInt64? {
    var about = stat()
    return stat(path, &about) == 0 ? UInt64(about.st_ino) : nil
  }

  /// The inode of the group that `frame` is charged to: 0 for none; nil where that is hidden.
  static func charged(_ frame: UInt64) -> UInt64? {
    let file = open("/proc/kpagecgroup", O_RDONLY | O_CLOEXEC)
    if file < 0 { return nil }
    defer { close(file) }
    var inode: UInt64 = 0
    return pread(file, &inode, 8, off_t(frame * 8)) == 8 ? inode : nil
  }
}
