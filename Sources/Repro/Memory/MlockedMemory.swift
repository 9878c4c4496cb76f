import Glibc

extension MemoryKind {
  /// Private anonymous base pages that are locked.
  public static let mlocked = MemoryKind(
    "mlocked", "private anonymous base pages under mlock(2)", needs: [.lockedMemory, .pageFrames],
    traits: [.private, .divisible, .mergeable, .anonymous], catalogued: ["anon"], maximumDepth: 256,
    c: MlockedMemory.cLocked
  ) { pieces, length throws(KernelError) in try MlockedMemory(pieces: pieces, pieceLength: length) }
}

extension Need {
  /// The right to lock as much memory as cases take.
  static let lockedMemory = Need("locked memory") {
    let length = 2 << 20
    guard let range = try? AddressRange(length: length),
      (try? AddressRange.map(range.base, length, MAP_PRIVATE | MAP_ANONYMOUS)) != nil
    else { return "no \(length >> 10) KiB to lock: free some memory" }
    if mlock(range.base, length) != 0 {
      return "\(length >> 10) KiB can't be locked (mlock): run as root (CAP_IPC_LOCK), or raise ulimit -l"
    }
    // Sanitizers put a function in its place that does nothing.
    let status = (try? KernelFile.read("/proc/self/status")) ?? ""
    let isLocked = status.split(separator: "\n").contains { $0.hasPrefix("VmLck:") && !$0.hasSuffix(" 0 kB") }
    return isLocked ? nil : "mlock locks nothing here: run without a sanitizer"
  }
}

/// `mmap(MAP_PRIVATE | MAP_ANONYMOUS)` memory without huge pages, locked: never reclaimed, yet copied on
/// write and migrated like any other.
final class MlockedMemory: AnonMemory, @unchecked Sendable {
  /// The lock is the mapping's, so each new one needs its own. mlock(2) brings its pages in.
  override func map(_ start: UnsafeMutableRawPointer, _ length: Int) throws(KernelError) {
    try super.map(start, length)
    if mlock(start, length) != 0 { throw .last("mlock \(length) bytes") }
  }

  override func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) -> Proof {
    guard case .reached = super.prove(entries, flags) else { return super.prove(entries, flags) }
    guard let flags else { return .missed("the page's flags are hidden") }
    return flags.isLockedInMemory
      ? .reached("anonymous base pages, locked") : .missed("kpageflags say neither mlocked nor unevictable")
  }

  /// A moved page would not be locked.
  override func replace(_ address: UnsafeMutableRawPointer) throws(KernelError) { try remap(address) }

  static let cLocked = CMemory(
    renew: AnonMemory.c.renew + """

      if (mlock(buf, map_size) < 0)
        END(SKIPPED, "mlock: %m; be root (CAP_IPC_LOCK), or raise ulimit -l");
      """,
    prove: CMemory.prove(
      "flags_of(buf) >> 33 & 1 || flags_of(buf) >> 18 & 1 /* unevictable */",
      "the page is not locked"))
}

extension PageFlags {
  /// KPF_MLOCKED, or KPF_UNEVICTABLE where the page has left the list of its CPU.
  fileprivate var isLockedInMemory: Bool { has(33) || has(18) }
}
