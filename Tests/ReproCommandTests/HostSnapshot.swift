import Foundation
import Glibc

/// All of the host's state that a run could change.
struct HostSnapshot: Equatable {
  /// KSM's settings; its counters go on for ever.
  var ksm: [String: String]
  /// Control groups of some run, and what the root of a hierarchy lets groups have.
  var groups: [String]
  /// Of transparent huge pages, khugepaged, the hugetlb pool and NUMA balancing.
  var memory: [String: String]
  /// Files with a loop device over them.
  var loops: [String]
  var swaps: String
  var zram: [String: String]
  var mounts: [String]
  /// Of FUSE: a connection that stays has tasks waiting for a dead server.
  var connections: [String]
  var journal: [String]
  var swapFiles: [String]

  init() {
    ksm = Self.settings("/sys/kernel/mm/ksm")
    memory = Self.settings("/sys/kernel/mm/transparent_hugepage")
    for (name, value) in Self.settings("/sys/kernel/mm/transparent_hugepage/khugepaged") {
      memory["khugepaged/\(name)"] = value
    }
    for path in ["/proc/sys/vm/nr_hugepages", "/proc/sys/kernel/numa_balancing"] {
      memory[path] = Self.text(path)
    }
    groups = ["", "/memory", "/cpuset", "/unified"].flatMap { folder in
      let top = "/sys/fs/cgroup\(folder)"
      return Self.names(top).filter { $0.hasPrefix("repro.") } + [Self.text("\(top)/cgroup.subtree_control")]
    }
    loops = Self.names("/sys/block").compactMap {
      try? String(contentsOfFile: "/sys/block/\($0)/loop/backing_file", encoding: .utf8)
    }
    swaps = Self.text("/proc/swaps")
    zram = [:]
    for device in Self.names("/sys/block") where device.hasPrefix("zram") {
      zram[device] = Self.text("/sys/block/\(device)/disksize")
    }
    // Tests that run meanwhile mount in folders of this name.
    mounts = Self.text("/proc/self/mounts").split(separator: "\n").map(String.init)
      .filter { !$0.contains("/repro-test.") }
    connections = Self.fuseConnections
    journal = Self.names("/run/repro").map { "\($0): \(Self.text("/run/repro/\($0)"))" }
    if FileManager.default.fileExists(atPath: "/run/repro") { journal.append("/run/repro") }
    swapFiles = Self.names("/var/tmp").filter { $0.hasPrefix("repro-swap.") }
  }

  /// A snapshot while nobody changes anything: another run on this host would show in two of them.
  static func quiet() -> HostSnapshot {
    var last = HostSnapshot()
    for _ in 0..<600 {
      let now = HostSnapshot()
      if now == last && now.journal.isEmpty { return now }
      last = now
      usleep(100_000)
    }
    return last
  }

  /// The snapshot once it equals `before`, or the last one after `seconds`. Connections that ended meanwhile are no
  /// difference: they were somebody else's.
  static func settled(to before: HostSnapshot, seconds: Double) -> HostSnapshot {
    let deadline = Date.now.addingTimeInterval(seconds)
    while true {
      var now = HostSnapshot()
      if Set(now.connections).isSubset(of: before.connections) { now.connections = before.connections }
      if now == before || Date.now > deadline { return now }
      usleep(100_000)
    }
  }

  private static func settings(_ folder: String) -> [String: String] {
    var settings: [String: String] = [:]
    for name in names(folder) {
      var about = stat()
      guard stat("\(folder)/\(name)", &about) == 0, about.st_mode & S_IFMT == S_IFREG,
        about.st_mode & 0o200 != 0
      else { continue }
      settings[name] = text("\(folder)/\(name)")
    }
    return settings
  }

  private static func names(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  private static func text(_ path: String) -> String {
    (try? String(contentsOfFile: path, encoding: .utf8)) ?? "none"
  }

  private static var fuseConnections: [String] {
    onFusectl("ls").split(separator: "\n").map(String.init).sorted()
  }

  /// Ends the FUSE connections that are not in `before`, for a test that has failed: whoever waits for their
  /// servers would do so for ever.
  static func abortConnections(since before: HostSnapshot) {
    for connection in Set(fuseConnections).subtracting(before.connections) {
      _ = onFusectl("echo 1 > \(connection)/abort")
    }
  }

  /// Runs `script` in fusectl's folder; it is mounted where nobody else sees it.
  private static func onFusectl(_ script: String) -> String {
    let script = "mount -t fusectl none /sys/fs/fuse/connections && cd /sys/fs/fuse/connections && \(script)"
    return (try? StartedProgram(["unshare", "-m", "sh", "-c", script]).finish().output) ?? ""
  }
}
