import CKernel
import Glibc

/// What a part can't do without.
public struct Need: Sendable, Equatable {
  /// For people: `two NUMA nodes`.
  public let name: String
  /// Whether it is a part of the machine that whoever needs it uses up or stirs for everybody, as swap is.
  let isOfMachine: Bool
  private let look: @Sendable () -> String?

  /// A need that `missing` looks for: it gives one line with what is missing and the remedy, or nil.
  init(_ name: String, isOfMachine: Bool = false, missing: @escaping @Sendable () -> String?) {
    self.name = name
    self.isOfMachine = isOfMachine
    look = missing
  }

  /// What is missing here and how to get it, or nil.
  public func missing() -> String? { look() }

  /// Needs are told apart by their names.
  public static func == (one: Need, other: Need) -> Bool { one.name == other.name }
}

extension Need {
  /// What is missing where the running kernel does not have a feature, and nothing here was to provide it.
  static func lack(_ feature: String, _ remedy: String) -> String { "\(lackMark) \(feature): \(remedy)" }
  /// How the reason of a case begins that the kernel has no feature for.
  static let lackMark = "not in this kernel:"

  /// What is missing for writing to the file of /proc or /sys at `path`: `absent` where it is not there.
  static func writable(_ path: String, or absent: String) -> String? {
    if access(path, F_OK) != 0 { return absent }
    return access(path, W_OK) == 0 ? nil : "\(path) is not writable: run as root"
  }

  /// A kernel that tracks soft-dirty pages.
  static let softDirty = Need("soft-dirty tracking") {
    freshPageEntry()?.isSoftDirty == true
      ? nil : "the kernel does not track soft-dirty pages: build it with CONFIG_MEM_SOFT_DIRTY=y"
  }

  /// Swap, or the right to make some.
  static let swap = Need("swap", isOfMachine: true) {
    KernelFile.hasSwap || isAdministrator
      ? nil : "no swap is on, and making some needs root: run as root, or swapon a device"
  }

  /// Two NUMA nodes with memory.
  static let twoNodes = Need("two NUMA nodes") {
    guard let nodes = NUMANodes.withMemory else {
      return "the kernel has no NUMA support: build it with CONFIG_NUMA=y"
    }
    return nodes.count > 1
      ? nil
      : "one NUMA node only: boot with numa=fake=2 (CONFIG_NUMA_EMU), or a guest with two nodes (repro vm)"
  }

  /// KSM, and the right to steer it.
  static let ksm = Need("KSM", isOfMachine: true) {
    let run = "/sys/kernel/mm/ksm/run"
    return writable(run, or: "the kernel has no KSM: build it with CONFIG_KSM=y")
  }

  /// pagemap, which every proof of memory rests on.
  static let pageMap = Need("pagemap") {
    KernelFile.exists("/proc/self/pagemap")
      ? nil : "the kernel has no /proc/self/pagemap: build it with CONFIG_PROC_PAGE_MONITOR=y"
  }

  /// Two CPUs that this process may run on.
  static let twoCPUs = Need("two CPUs") {
    ck_cpus() > 1 ? nil : "one CPU only: a stale TLB entry on another can't be seen; use two (taskset)"
  }

  /// The right to see physical frame numbers.
  static let pageFrames = Need("page frame numbers") {
    pageMap.missing()
      ?? (isAdministrator
        ? nil : "/proc/self/pagemap hides frame numbers: run as root (CAP_SYS_ADMIN)")
  }

  /// CAP_SYS_ADMIN outside of any user namespace: in one, geteuid() may well say 0.
  private static var isAdministrator: Bool { freshPageEntry()?.frame != nil }

  private static func freshPageEntry() -> PageMapEntry? {
    guard let range = try? AddressRange(length: kernelPageSize), let map = try? PageMap() else { return nil }
    guard (try? AddressRange.map(range.base, range.length, MAP_PRIVATE | MAP_ANONYMOUS)) != nil else {
      return nil
    }
    ck_store64(range.base, 1)
    return try? map.entry(of: range.base)
  }
}
