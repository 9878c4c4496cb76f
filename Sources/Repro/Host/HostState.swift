import CKernel
import Glibc
import SystemPackage

/// Changes to the host that are put back, whatever happens to the process.
///
/// Each change is written to a journal *before* it is made. Undoing reads the journal, so the
/// process that changed, its supervisor, and the next run after a SIGKILL undo in the same way. A value is
/// put back only while it is still the one that was set: what somebody else changed meanwhile is theirs.
public final class HostState: @unchecked Sendable {  // one process at a time writes: see the journal's lock
  private let journal: Journal
  private let allowed: Set<String>

  /// What a dead run had left, and what became of it now.
  public private(set) var leftovers: [String] = []
  /// Where swap is made, whatever other swap is on; nil makes it on zram or in a file, if none is on.
  public var swapPlace: SwapPlace?
  /// The device or file of the swap made there.
  private var swapMade: String?
  /// Files whose number was raised: once is enough.
  private var raised: Set<String> = []

  /// Where the journal lives: gone after a reboot, as the settings are.
  public static let standardFolder = "/run/repro"

  /// Opens and locks the journal; undoes what a dead run left in it.
  /// - Parameter allowed: the files that settings may change; a journal that names others is not obeyed.
  /// - Throws: HostStateError when another run has it, or the folder can't be made, or is not ours.
  public init(
    folder: String = HostState.standardFolder, allowed: Set<String>
  ) throws(HostStateError) {
    self.allowed = allowed
    journal = try Journal(folder: folder)
    let left = (try? journal.lines()) ?? []
    let remarks = undoAll()
    leftovers = left.compactMap(JournalEntry.init).map(\.text) + remarks
  }

  /// Undoes what a dead run left, if one did and no other run lives.
  /// - Returns: what it had left, and what became of it.
  public static func repair(
    folder: String = HostState.standardFolder, allowed: Set<String>
  ) -> [String] {
    guard Journal.exists(in: folder), let state = try? HostState(folder: folder, allowed: allowed) else {
      return []
    }
    state.close()
    return state.leftovers
  }

  /// Undoes all changes and gives the journal up.
  /// - Returns: one line for each change that was not undone, and why.
  @discardableResult
  public func close() -> [String] {
    let remarks = undoAll()
    journal.close()
    return remarks
  }

  // MARK: Changing

  /// Makes the changes that are not so already.
  /// - Throws: SettingError for the first that fails and is not merely wished for.
  func apply(_ settings: [Setting]) throws(SettingError) {
    for setting in settings {
      do {
        try make(setting.change)
      } catch {
        if setting.policy != .wished { throw SettingError(setting, error) }
      }
    }
  }

  private func make(_ change: Setting.Change) throws {
    switch change {
    case .file(let path, let value, let accepted):
      let old = KernelFile.selected(in: try KernelFile.read(path))
      if old == value || accepted.contains(old) { return }
      try journal.add(JournalEntry.file(path: path, value: old, set: value).text)
      try KernelFile.write(path, value)
    case .more(let path, let count): try raise(path, by: count)
    case .swap:
      if let swapPlace {
        try makeSwap(at: swapPlace)
      } else if !KernelFile.hasSwap {
        try makeSwap()
      }
    case .cgroup(let controller, let name): try enter(try Cgroup(controller, name))
    }
  }

  /// Makes the group and goes there. Its controller must be one that groups below the root have.
  private func enter(_ group: Cgroup) throws(KernelError) {
    let name = group.hierarchy.controller.rawValue
    if let file = group.hierarchy.enabling,
      !(try KernelFile.read(file)).split(separator: " ").contains(Substring(name))
    {
      try journal.add(JournalEntry.controller(file: file, name: name).text)
      try KernelFile.write(file, "+\(name)")
    }
    try journal.add(JournalEntry.cgroup(path: group.path, origin: try group.hierarchy.own()).text)
    try group.make()
    try group.enter()
  }

  private func raise(_ path: String, by count: Int) throws(KernelError) {
    guard let old = KernelFile.number(path) else {
      throw KernelError("read a number in \(path)", .invalidArgument)
    }
    if raised.contains(path) { return }
    // What the kernel gives is known only afterwards, and another run may raise the same number: the first
    // line is for a run that is killed in between.
    try journal.add(JournalEntry.raising(path: path, value: old, count: count).text)
    try KernelFile.write(path, String(old + count))
    let got = max(0, (KernelFile.number(path) ?? old) - old)
    try journal.add(JournalEntry.more(path: path, count: got).text)
    if got < count {
      throw KernelError("raise \(path) by \(count): the kernel gave \(got)", .noMemory)
    }
    raised.insert(path)
  }

  private func makeSwap() throws(KernelError) {
    if let zram = try setUpZram() { return try swapOn(zram, first: false) }
    try swapOn(makeSwapFile(), first: false)
  }

  /// Makes swap there, before all other; nothing if that was done already.
  /// - Throws: SwapError, which names the place and the remedy.
  func makeSwap(at place: SwapPlace) throws(SwapError) {
    if let swapMade, isOn(swapMade) { return }
    let mark = mark
    do {
      let path: String
      switch place.kind {
      case .zram:
        guard let zram = try setUpZram() else { throw SwapError.noZram }
        path = zram
      case .file: path = try makeSwapFile()
      case .device(let named): path = try SwapSpace.blockDevice(named, overwrite: place.overwrite)
      case .disk: throw SwapError.noDisk
      }
      try swapOn(path, first: true)
      try requireFirst(path)
      swapMade = path
    } catch {
      undo(to: mark)
      throw error as? SwapError
        ?? .unusable(place, error as? KernelError ?? KernelError("\(error)", .ioError))
    }
  }

  /// - Throws: SwapError for an area that pages may go to instead.
  private func requireFirst(_ path: String) throws(SwapError) {
    let areas = SwapArea.on
    let own = areas.first { $0.path == path }?.priority ?? .min
    if let other = areas.first(where: { $0.path != path && $0.priority >= own }) {
      throw .notFirst(other.path)
    }
  }

  /// A zram device that nobody had set up, with a size; nil if there is none.
  private func setUpZram() throws(KernelError) -> String? {
    guard let zram = SwapSpace.freeZram(), try setUp(zram) else { return nil }
    return "/dev/\(zram)"
  }

  private func makeSwapFile() throws(KernelError) -> String {
    let folder = SwapSpace.scratchFolder
    try journal.add(JournalEntry.scratch(folder).text)
    try SwapSpace.makeFile(in: folder)
    return "\(folder)/\(SwapSpace.fileName)"
  }

  /// Gives a zram device a size.
  /// - Returns: false when somebody else who does not see our lock did so in the same moment.
  private func setUp(_ zram: String) throws(KernelError) -> Bool {
    let (mark, size) = (mark, SwapSpace.drawSize())
    try journal.add(JournalEntry.zram(name: zram, size: size).text)
    do throws(KernelError) {
      try KernelFile.write("/sys/block/\(zram)/disksize", String(size))
      return true
    } catch {
      guard error.errno == .resourceBusy else { throw error }
      undo(to: mark)
      return false
    }
  }

  private func swapOn(_ path: String, first: Bool) throws(KernelError) {
    let space = SwapSpace(path: path, id: .random(in: 1 ... .max))
    try journal.add(JournalEntry.swap(path: path, id: space.id).text)
    try space.turnOn(first: first)
  }

  // MARK: Undoing

  /// The changes made so far: what ``undo(to:)`` goes back to.
  var mark: Int { ((try? journal.lines()) ?? []).count }

  /// Undoes all changes, the last one first. What the kernel refuses to undo stays in the journal, for the
  /// next run to try.
  /// - Returns: one line for each change that was not undone, and why.
  @discardableResult
  public func undoAll() -> [String] { undo(to: 0) }

  /// Undoes the changes made since `mark`; see ``undoAll()``.
  @discardableResult
  func undo(to mark: Int) -> [String] {
    let lines: [String]
    do throws(KernelError) { lines = try journal.lines() } catch { return ["\(error)"] }
    var kept: [String] = []
    var remarks: [String] = []
    var settled: Set<String> = []
    for line in lines.dropFirst(mark).reversed() {
      guard let entry = JournalEntry(line) else { continue }
      if case .more(let path, _) = entry {
        raised.remove(path)
        settled.insert(path)
      }
      if case .raising(let path, _, _) = entry, settled.contains(path) { continue }
      switch undo(entry) {
      case .done: break
      case .theirs(let why): remarks.append(why)
      case .refused(let error):
        kept.append(line)
        remarks.append("\(error); the next run tries again")
      }
    }
    do throws(KernelError) {
      try journal.replace(with: lines.prefix(mark) + kept.reversed())
    } catch {
      remarks.append("\(error)")
    }
    return remarks
  }

  /// What became of a change that was to be undone.
  private enum Undoing {
    /// It is undone, or was recorded and never done.
    case done
    /// It is not ours any more: why.
    case theirs(String)
    /// The kernel said no.
    case refused(KernelError)
  }

  private func undo(_ entry: JournalEntry) -> Undoing {
    do throws(KernelError) {
      switch entry {
      case .file(let path, let value, let set):
        guard allowed.contains(path) else { return .theirs("\(path): the journal names it, no part does") }
        let now = KernelFile.selected(in: try KernelFile.read(path))
        if now == value { return .done }
        if now != set { return .theirs("\(path): left at \(now), which somebody else set") }
        try KernelFile.write(path, value)
      case .raising(let path, let value, let count):
        guard allowed.contains(path) else { return .theirs("\(path): the journal names it, no part does") }
        let now = KernelFile.number(path) ?? 0
        if now > value { try KernelFile.write(path, String(max(value, now - count))) }
      case .more(let path, let count):
        guard allowed.contains(path) else { return .theirs("\(path): the journal names it, no part does") }
        let now = KernelFile.number(path) ?? 0
        if now < count { return .theirs("\(path): left at \(now), which somebody else set") }
        try KernelFile.write(path, String(now - count))
      case .swap(let path, let id):
        guard isOn(path) else { return .done }
        guard SwapSpace(path: path, id: id).isOurs else { return .theirs("swap on \(path): somebody else's") }
        try check(ck_swapoff(path), "swapoff \(path)")
      case .zram(let name, let size):
        let now = KernelFile.number("/sys/block/\(name)/disksize") ?? 0
        if now == 0 { return .done }
        if now != size { return .theirs("\(name): somebody else's, of \(now) bytes") }
        try KernelFile.write("/sys/block/\(name)/reset", "1")
      case .scratch(let folder):
        if try SwapSpace.removeFile(in: folder) == false { return .theirs("\(folder): not ours") }
      case .cgroup(let path, let origin):
        guard Cgroup.isOurs(path), Cgroup.isInHierarchy(origin) else {
          return .theirs("\(path): no group of ours")
        }
        try Cgroup.remove(path, to: origin)
      case .controller(let file, let name):
        guard Cgroup.isInHierarchy(file) else { return .theirs("\(file): not of control groups") }
        try KernelFile.write(file, "-\(name)")
      }
      return .done
    } catch {
      let wasNeverDone = error.errno == .noSuchFileOrDirectory || error.errno == .invalidArgument
      return wasNeverDone ? .done : .refused(error)
    }
  }

  /// Whether swap is on at `path`.
  private func isOn(_ path: String) -> Bool { SwapArea.on.contains { $0.path == path } }
}

/// A setting that a part can't do without, and that could not be made.
struct SettingError: Error, CustomStringConvertible {
  /// Whether the part's cases are skipped, and not errors.
  let isSkip: Bool
  let description: String

  init(_ setting: Setting, _ error: any Error) {
    isSkip = setting.policy == .skip
    description = "can't set \(setting): \(error)"
  }
}

/// Why the host's state can't be changed safely.
public enum HostStateError: Error, CustomStringConvertible {
  /// Another run holds the journal.
  case busy(String)
  /// Somebody else could have written it.
  case notOurs(String)
  /// The journal can't be made.
  case unusable(KernelError)

  /// One line.
  public var description: String {
    switch self {
    case .busy(let path): "another repro run is changing this host (\(path) is locked); wait for it to end"
    case .notOurs(let path): "\(path): others own it or may write to it; look what it is, and remove it"
    case .unusable(let error): "\(error); the journal of host settings must be writable (run as root)"
    }
  }
}
