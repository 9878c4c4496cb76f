import CKernel
import Glibc

/// What a scenario can't do without.
public enum Need: String, Sendable, CaseIterable {
  /// A kernel that tracks soft-dirty pages.
  case softDirty = "soft-dirty tracking"
  /// Swap, or the right to make some.
  case swap
  /// Two NUMA nodes with memory.
  case twoNodes = "two NUMA nodes"
  /// KSM, and the right to steer it.
  case ksm = "KSM"
  /// The right to see physical frame numbers.
  case pageFrames = "page frame numbers"

  /// What is missing here and how to get it, or nil.
  public func missing() -> String? {
    switch self {
    case .softDirty:
      Self.freshPageEntry()?.isSoftDirty == true
        ? nil : "the kernel does not track soft-dirty pages: build it with CONFIG_MEM_SOFT_DIRTY=y"
    case .swap:
      HostState.hasSwap || Self.isAdministrator
        ? nil : "no swap is on, and making some needs root: run as root, or swapon a device"
    case .twoNodes: Self.nodesMissing()
    case .ksm: Self.ksmMissing()
    case .pageFrames:
      Self.isAdministrator
        ? nil : "/proc/self/pagemap hides frame numbers: run as root (CAP_SYS_ADMIN)"
    }
  }

  /// CAP_SYS_ADMIN outside of any user namespace: in one, geteuid() may well say 0.
  private static var isAdministrator: Bool { (freshPageEntry()?.frame ?? 0) != 0 }

  private static func freshPageEntry() -> PageMapEntry? {
    guard let arena = try? Arena(pages: 1, pageSize: kernelPageSize),
      let map = try? PageMap(pageSize: kernelPageSize)
    else { return nil }
    ck_store64(arena.base, 1)
    return try? map.entry(of: arena.base)
  }

  private static func nodesMissing() -> String? {
    guard let nodes = try? KernelFile.read("/sys/devices/system/node/has_memory") else {
      return "the kernel has no NUMA support: build it with CONFIG_NUMA=y"
    }
    return nodes.contains { $0 == "," || $0 == "-" }
      ? nil
      : "one NUMA node only: boot with numa=fake=2 (CONFIG_NUMA_EMU), or a guest with two nodes (repro vm)"
  }

  private static func ksmMissing() -> String? {
    let run = "/sys/kernel/mm/ksm/run"
    guard KernelFile.exists(run) else { return "the kernel has no KSM: build it with CONFIG_KSM=y" }
    return access(run, W_OK) == 0 ? nil : "\(run) is not writable: run as root"
  }
}
