import CKernel
import Glibc
import SystemPackage

/// Changes to the host that are put back, whatever happens to the process.
///
/// Each change is written to a journal *before* it is made. Undoing reads the journal, so the
/// process that changed, its supervisor, and the next run after a SIGKILL undo in the same way.
/// The journal is locked while a run lives: two runs that change settings exclude each other.
public final class HostState: @unchecked Sendable {  // one process at a time writes: see the lock
  private let folder: String
  private let journal: CInt

  /// What a dead run had left, and this one has put back.
  public private(set) var leftovers: [String] = []
  /// A block device to make swap on, instead of zram or a file; its content is lost.
  public var swapDevice: String?

  /// Where the journal lives: gone after a reboot, as the settings are.
  public static let standardFolder = "/run/repro"

  /// Opens and locks the journal; undoes what a dead run left in it.
  /// - Throws: HostStateError when another run has it, or the folder can't be made.
  public init(folder: String = HostState.standardFolder) throws(HostStateError) {
    self.folder = folder
    journal = try Self.openLocked(folder)
    leftovers = entries().map(\.text)
    undoAll()
  }

  private static func openLocked(_ folder: String) throws(HostStateError) -> CInt {
    let path = "\(folder)/journal"
    while true {
      if mkdir(folder, 0o755) != 0 && errno != EEXIST { throw .unusable(.last("make \(folder)")) }
      let journal = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
      if journal < 0 && errno == ENOENT { continue }  // another run removed the folder just now
      if journal < 0 { throw .unusable(.last("open \(path)")) }
      if flock(journal, LOCK_EX | LOCK_NB) != 0 {
        Glibc.close(journal)
        throw .busy(path)
      }
      var mine = stat()
      var named = stat()
      if fstat(journal, &mine) == 0, stat(path, &named) == 0, mine.st_ino == named.st_ino { return journal }
      Glibc.close(journal)  // locked a journal that its owner was just removing
    }
  }

  /// Undoes all changes and gives the journal up.
  /// - Returns: one line for each change that the kernel refused to undo.
  @discardableResult
  public func close() -> [String] {
    let refusals = undoAll()
    if refusals.isEmpty {
      unlink("\(folder)/journal")
      rmdir(folder)
    }
    Glibc.close(journal)
    return refusals
  }

  // MARK: Changing

  /// Makes the changes that are not so already.
  func apply(_ settings: [HostSetting]) throws(KernelError) {
    for setting in settings {
      switch setting {
      case .file(let path, let value, let isRequired):
        if !isRequired && !KernelFile.exists(path) { continue }
        let old = KernelFile.selected(in: try KernelFile.read(path))
        if old == value { continue }
        try record(.file(path: path, value: old))
        try KernelFile.write(path, value)
      case .swap:
        if !Self.hasSwap { try makeSwap() }
      }
    }
  }

  /// Whether any swap is on.
  static var hasSwap: Bool {
    ((try? KernelFile.read("/proc/swaps")) ?? "").split(separator: "\n").count > 1
  }

  private static let swapBytes = 64 << 20

  private func makeSwap() throws(KernelError) {
    if let swapDevice { return try swapOn(swapDevice) }
    if let zram = Self.freeZram() {
      try record(.zram(zram))
      try KernelFile.write("/sys/block/\(zram)/disksize", String(Self.swapBytes))
      return try swapOn("/dev/\(zram)")
    }
    let path = "/var/tmp/repro-swap.\(getpid())"
    try record(.scratch(path))
    let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if file < 0 { throw .last("create swap file \(path)") }
    let zeros = [UInt8](repeating: 0, count: 1 << 20)
    for _ in 0..<Self.swapBytes >> 20 where write(file, zeros, zeros.count) != zeros.count {
      let error = KernelError.last("write swap file \(path)")
      Glibc.close(file)
      throw error
    }
    fsync(file)
    Glibc.close(file)
    try swapOn(path)
  }

  private static func freeZram() -> String? {
    (0..<16).map { "zram\($0)" }.first { KernelFile.number("/sys/block/\($0)/disksize") == 0 }
  }

  private func swapOn(_ path: String) throws(KernelError) {
    try writeSwapHeader(path)
    try record(.swap(path))
    try check(ck_swapon(path), "swapon \(path)")
  }

  /// Writes a swap signature (linux/swap.h, union swap_header).
  private func writeSwapHeader(_ path: String) throws(KernelError) {
    let pageSize = kernelPageSize
    var about = stat()
    // O_EXCL on a block device: refuse one that is mounted. It must be closed again for swapon.
    let exclusive = stat(path, &about) == 0 && about.st_mode & S_IFMT == S_IFBLK ? O_EXCL : 0
    let device = open(path, O_RDWR | O_CLOEXEC | exclusive)
    if device < 0 { throw .last("open \(path)") }
    defer { Glibc.close(device) }
    let bytes = lseek(device, 0, SEEK_END)
    var header = [UInt8](repeating: 0, count: pageSize)
    let info = [UInt32(1), UInt32(bytes / pageSize - 1), 0]  // version, last page, bad pages
    info.withUnsafeBytes { header.replaceSubrange(1024..<1024 + $0.count, with: $0) }
    header.replaceSubrange(pageSize - 10..<pageSize, with: "SWAPSPACE2".utf8)
    if pwrite(device, header, pageSize, 0) != pageSize { throw .last("write swap header to \(path)") }
    fsync(device)
  }

  // MARK: Undoing

  /// One change, as the journal keeps it: what undoes it.
  private enum Entry {
    case file(path: String, value: String)
    case swap(String)
    case zram(String)
    case scratch(String)

    var text: String {
      switch self {
      case .file(let path, let value): "file\t\(path)\t\(value)"
      case .swap(let path): "swap\t\(path)"
      case .zram(let name): "zram\t\(name)"
      case .scratch(let path): "scratch\t\(path)"
      }
    }

    init?(_ line: Substring) {
      let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      switch (parts.first, parts.count) {
      case ("file", 3): self = .file(path: parts[1], value: parts[2])
      case ("swap", 2): self = .swap(parts[1])
      case ("zram", 2): self = .zram(parts[1])
      case ("scratch", 2): self = .scratch(parts[1])
      default: return nil
      }
    }

    /// Undoes it; nil when it is undone, or was recorded and never done, else the kernel's answer.
    func undo() -> KernelError? {
      do throws(KernelError) {
        switch self {
        case .file(let path, let value): try KernelFile.write(path, value)
        case .swap(let path): try check(ck_swapoff(path), "swapoff \(path)")
        case .zram(let name): try KernelFile.write("/sys/block/\(name)/reset", "1")
        case .scratch(let path): if unlink(path) != 0 { throw .last("remove \(path)") }
        }
        return nil
      } catch {
        let wasNeverDone = error.errno == .noSuchFileOrDirectory || error.errno == .invalidArgument
        return wasNeverDone ? nil : error
      }
    }
  }

  private func record(_ entry: Entry) throws(KernelError) {
    let line = entry.text + "\n"
    let count = line.withCString { write(journal, $0, strlen($0)) }
    if count != line.utf8.count { throw .last("write the journal in \(folder)") }
    fsync(journal)
  }

  private func entries() -> [Entry] {
    let size = Int(lseek(journal, 0, SEEK_END))
    if size <= 0 { return [] }
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      count = max(0, pread(journal, buffer.baseAddress, size, 0))
    }
    // A line without its end is that of a run killed while it wrote it: not yet acted upon, and its
    // value may be cut short.
    let lines = String(decoding: bytes, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false
    ).dropLast()
    return lines.compactMap(Entry.init)
  }

  /// Undoes all changes, the last one first. What the kernel refuses to undo stays in the journal,
  /// for the next run to try.
  /// - Returns: one line for each refusal.
  @discardableResult
  public func undoAll() -> [String] {
    var refused: [(entry: Entry, error: KernelError)] = []
    for entry in entries().reversed() {
      if let error = entry.undo() { refused.append((entry, error)) }
    }
    ftruncate(journal, 0)
    for (entry, _) in refused.reversed() { try? record(entry) }
    return refused.map { "\($0.error); the next run tries again" }
  }
}

/// Why the host's state can't be changed safely.
public enum HostStateError: Error, CustomStringConvertible {
  /// Another run holds the journal.
  case busy(String)
  /// The journal can't be made.
  case unusable(KernelError)

  /// One line.
  public var description: String {
    switch self {
    case .busy(let path): "another repro run is changing this host (\(path) is locked); wait for it to end"
    case .unusable(let error): "\(error); the journal of host settings must be writable (run as root)"
    }
  }
}
