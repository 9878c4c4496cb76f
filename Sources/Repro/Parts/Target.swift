import Glibc

/// How a target's direct I/O takes hold of memory: bugs are fixed path by path.
public enum IOPath: String, Sendable, Codable, CaseIterable {
  /// fs/fuse.
  case fuse
  /// Block layer: devices, and file systems that go through iomap or direct-io.c.
  case block
  /// Block layer below btrfs, which has bugs of its own.
  case btrfs
  /// md's raid1, above two block devices.
  case raid1
  /// fs/nfs.
  case nfs
  /// fs/smb/client.
  case cifs
  /// fs/ceph.
  case ceph
  /// fs/9p.
  case p9 = "9p"
  /// Whatever lies below an overlay.
  case overlay
  /// Pages that were pinned beforehand (registered buffers): no path of a target takes them.
  case pin

  /// The words of the catalogue's `paths` that concern it.
  public var catalogued: [String] { [.btrfs, .raid1].contains(self) ? [rawValue, "block"] : [rawValue] }
}

/// What is read and written: blocks of known content, open for direct I/O.
protocol Target: AnyObject, Sendable {
  /// For reports: the kind's name, or the path that was opened.
  var name: String { get }
  var path: IOPath { get }
  /// Opened O_RDWR | O_DIRECT.
  var descriptor: CInt { get }
  /// The same for I/O of one direction: what is read and what is written may be two files.
  func descriptor(for direction: Direction) -> CInt
  /// What is read, opened without O_DIRECT; nil for a target that has no page cache.
  var buffered: CInt? { get }
  /// What lengths, offsets and addresses of direct I/O must be multiples of, in bytes.
  var alignment: Int { get }
  /// What keeps its I/O in flight; nil for a target that runs free.
  var hold: (any Hold)? { get }

  /// Called before a staged case.
  /// - Throws: TargetError.missing when the machine can't hold I/O there.
  func prepareHold() throws(TargetError)

  /// The first thing that the I/O thread does, in a descriptor table of its own.
  ///
  /// No table may ever hold both a held target and its server's descriptors: a process that is killed
  /// flushes the one before the other is released, and waits for a server that is gone, in D state
  /// for ever. So a held target closes the server's in the caller's table, and then opens.
  func openOnIOThread() throws(KernelError)

  /// The same on another such thread, once the first has opened: gives a descriptor of that thread's own.
  func openAgain() throws(KernelError) -> CInt

  /// The place of trial number `trial`'s I/O of `length` bytes and what stands there.
  func place(trial: Int, length: Int, _ direction: Direction) -> (offset: Int64, content: Stamp)

  /// Where a block of 0xff stands, for the recipe of 2008; nil where there is none.
  var onesOffset: Int64? { get }

  /// Whether any of the range is in the page cache: direct I/O leaves nothing there, so it was none.
  func isCached(offset: Int64, length: Int) -> Bool

  /// Empties its page cache, as far as nobody uses the pages.
  func dropCache()

  /// What each copy of a mirrored target holds at `offset` now; nothing of others.
  func copies(offset: Int64, length: Int) throws(KernelError) -> [[UInt8]]

  /// What the target holds at `offset` now, past any cache that a direct write could leave wrong.
  func readBack(offset: Int64, into buffer: UnsafeMutableRawPointer, length: Int) throws(KernelError)

  /// Gives everything back; the target can't be used any more.
  func close()
}

extension Target {
  var hold: (any Hold)? { nil }
  func descriptor(for direction: Direction) -> CInt { descriptor }
  var buffered: CInt? { nil }
  func dropCache() {}
  func copies(offset: Int64, length: Int) throws(KernelError) -> [[UInt8]] { [] }
  var onesOffset: Int64? { nil }
  func prepareHold() throws(TargetError) {}
  func isCached(offset: Int64, length: Int) -> Bool { false }
  func openOnIOThread() throws(KernelError) {}
  func openAgain() throws(KernelError) -> CInt { descriptor }
}

/// Keeps an I/O in flight until it is told to let go.
protocol Hold: AnyObject, Sendable {
  /// The transfer as it is to be issued: a hold may need more of it than the trial does.
  /// - Parameter isBuffered: it goes through the page cache: bytes come in their order, and none of the
  ///   trial's may come before it is held.
  func extend(_ transfer: Transfer, isBuffered: Bool) -> Transfer
  /// The next I/O that is `transfer`, by direction and place, will be held.
  func arm(_ transfer: Transfer, _ timeline: Timeline)
  /// Returns once the armed I/O is in flight with its pages taken.
  /// - Returns: false when it didn't come in time.
  func arrived(timeout: Nanoseconds) -> Bool
  /// Whether the target had bytes of the armed write before the release: what is stored after that is too late.
  var hasBytes: Bool { get }
  /// Lets the held I/O complete.
  func release() throws(KernelError)
  /// Ends all I/O with an error; the target can't be used any more.
  func abort()
}

extension Hold {
  var hasBytes: Bool { false }
  func extend(_ transfer: Transfer, isBuffered: Bool) -> Transfer { transfer }
}

/// Which target, and for one that somebody names, where and with what right.
public struct TargetSpec: Sendable, Equatable {
  /// Where files go when nobody names a place: on disk, unlike /tmp of many machines.
  static let usualFolder = "/var/tmp"

  /// The kind.
  public var kind: TargetKind
  /// A folder, file or device; nil for the kind's own choice.
  public var path: String?
  /// Whether an existing file or device may be overwritten.
  public var overwrite = false
  /// Whether a target that can't be used skips its cases and does not fail the run.
  public var isOptional = false

  /// A target of `kind`.
  public init(_ kind: TargetKind, path: String? = nil, overwrite: Bool = false, isOptional: Bool = false) {
    self.kind = kind
    self.path = path
    self.overwrite = overwrite
    self.isOptional = isOptional
  }

  /// Whether all who open it have one and the same: a file or device that somebody named, or one that is suspended.
  /// A folder gives each an unnamed file.
  var isOneForAll: Bool {
    var about = stat()
    guard let path else { return kind.isSuspended }
    return stat(path, &about) != 0 || about.st_mode & S_IFMT != S_IFDIR
  }

  /// Kinds are told apart by their names.
  public static func == (one: TargetSpec, other: TargetSpec) -> Bool {
    one.description == other.description
  }
}

extension TargetSpec: CustomStringConvertible {
  /// `held`, `scratch+overwrite:/dev/vda`: the kind, the rights, the path.
  public var description: String {
    kind.name + (overwrite ? "+overwrite" : "") + (isOptional ? "+optional" : "")
      + (path.map { ":\($0)" } ?? "")
  }
}

/// A target by name.
public struct TargetKind: Part {
  /// The name: `held`.
  public let name: String
  /// One line.
  public let summary: String
  /// See ``Part``.
  public let needs: [Need]
  /// See ``Part``.
  public let settings: [Setting]
  /// Which schedules it serves: a target that can hold its I/O serves the staged one, one that can run free
  /// the race.
  public let schedules: Set<Schedule>
  /// Whether it is somewhere that people name, and is opened once for all of its cases.
  public let takesPath: Bool
  /// Whether its I/O is held by the fault of its last page, which must be one request with the others.
  public let holdsByFault: Bool
  /// Whether a write that it holds has still to be read from memory.
  var holdsWrites: Bool { holdsByFault || isSuspended }
  /// Whether what holds its I/O is a suspended device.
  var isSuspended: Bool { [.suspendable, .mirrored].contains(disk?.layer) }
  /// The path that its I/O takes; nil where that depends on the path that was named.
  public let path: IOPath?
  /// What lengths and offsets of its I/O must be multiples of, in bytes; where that depends on the path that
  /// was named, the least.
  public let alignment: Int
  /// Whether each request of a deep I/O reaches what holds it, so that its arrival tells that its pages are
  /// taken; else only the first one does.
  public let arrivesWhole: Bool
  /// Whether it can leave the bytes of a write where they are, so that things may happen to them once their
  /// pages are taken.
  public let leavesUnread: Bool
  /// The disk that it is a file of, with the file system that is mounted; nil for kinds that mount nothing.
  public let disk: GuestDisk?
  /// The target in C; nil for what ``CExport`` can't write.
  let c: CTarget?
  /// Why it has no C, in words that follow "can't be exported: "; nil when it has.
  let withoutC: String?

  /// Opens one whose content is `pattern`'s.
  let make: @Sendable (TargetSpec, Pattern) throws(TargetError) -> any Target

  init(
    _ name: String, _ summary: String, needs: [Need] = [], settings: [Setting] = [], schedules: Set<Schedule>,
    path: IOPath?, alignment: Int = 512, takesPath: Bool = false, holdsByFault: Bool = false,
    arrivesWhole: Bool = true, leavesUnread: Bool = false, disk: GuestDisk? = nil,
    c: CTarget?, withoutC: String? = nil,
    make: @escaping @Sendable (TargetSpec, Pattern) throws(TargetError) -> any Target
  ) {
    self.name = name
    self.summary = summary
    self.needs = needs
    self.settings = settings
    self.schedules = schedules
    self.takesPath = takesPath
    self.holdsByFault = holdsByFault
    self.path = path
    self.alignment = alignment
    self.arrivesWhole = arrivesWhole
    self.leavesUnread = leavesUnread
    self.disk = disk
    self.c = c
    self.withoutC = withoutC
    self.make = make
  }
}

/// Why a target can't be used: one line that names the path and the remedy.
public enum TargetError: Error, Equatable, CustomStringConvertible {
  /// The machine can't give one: what is missing and the remedy.
  case missing(String)
  /// Neither file, folder nor block device.
  case wrongType(String)
  /// It exists, and would be overwritten.
  case wouldOverwrite(String)
  /// Its file system does no direct I/O.
  case noDirectIO(String)
  /// The disk is full.
  case full(String, needed: Int)
  /// The device is too small.
  case tooSmall(String, bytes: Int, needed: Int)
  /// The kernel said no.
  case unusable(String, KernelError)

  /// One line.
  public var description: String {
    switch self {
    case .missing(let reason): reason
    case .wrongType(let path):
      "\(path): not a file, folder or block device; name one on the file system to test"
    case .wouldOverwrite(let path):
      "\(path): exists and would be overwritten; name a new file or a folder, or add --overwrite"
    case .noDirectIO(let path):
      "\(path): this file system does no direct I/O (O_DIRECT); name a path on ext4, xfs, btrfs, ..."
    case .full(let path, let needed):
      "\(path): no space for the \(needed >> 20) MiB of test data; free some or name another path"
    case .tooSmall(let path, let bytes, let needed):
      "\(path): \(bytes) bytes are too few; \(needed) are needed"
    case .unusable(let path, let error):
      "\(path): \(error); name a path that you may create and write"
    }
  }
}
