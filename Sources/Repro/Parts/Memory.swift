import CKernel
import Glibc

/// A kind of memory by name: what the buffer of an I/O is.
public struct MemoryKind: Part {
  /// What hazards and engines may rely on.
  public enum Trait: String, Sendable, CaseIterable {
    /// Copied on write after a fork, not shared.
    case `private`
    /// Pages can be swapped out.
    case swappable
    /// Base pages of it can be protected one by one.
    case divisible
    /// KSM may merge the pages, one by one.
    case mergeable
    /// The mapping is of no file.
    case anonymous
    /// KSM has merged the pages already.
    case merged
    /// The pages hold zeros.
    case zeroed
    /// A second process shares their swap entries, and has brought the pages back for itself.
    case sharedOnSwap
    /// One huge page could take the place of the base pages.
    case collapsible
    /// A PMD maps the pages.
    case huge
    /// Pages of the page cache, of a file on a disk which has their fill.
    case cached
    /// The file system writes parts of a page directly, and to where they are.
    case inPlace
  }

  /// The name: `anon`.
  public let name: String
  /// One line.
  public let summary: String
  /// See ``Part``.
  public let needs: [Need]
  /// See ``Part``.
  public let settings: [Setting]
  /// What it is like.
  public let traits: Set<Trait>
  /// Whether it is another kind in a state, which it is brought into for the I/O to find: combined with all
  /// scenarios, and not with all engines and targets too.
  public let isState: Bool
  /// The words of the catalogue's `memory` that concern it: its own name, and that of the kind that the
  /// kernel takes it for.
  public let catalogued: [String]
  /// The most pages under one hazard that it can give.
  public let maximumDepth: Int
  /// The disk that its file is on; nil for memory of no file on a disk.
  public let disk: GuestDisk?
  /// The memory in C; nil for what ``CExport`` can't write.
  let c: CMemory?
  /// Why it has no C, in words that follow "can't be exported: "; nil when it has.
  let withoutC: String?

  /// Makes a buffer of `pieces`, each with room for `pieceLength` bytes; nothing is mapped before
  /// ``Memory/renew()``.
  let make: @Sendable (_ pieces: Int, _ pieceLength: Int) throws(KernelError) -> any Memory

  init(
    _ name: String, _ summary: String, needs: [Need] = [], settings: [Setting] = [], traits: Set<Trait>,
    catalogued: [String] = [], maximumDepth: Int, disk: GuestDisk? = nil, isState: Bool? = nil,
    c: CMemory? = nil, withoutC: String? = nil,
    make: @escaping @Sendable (_ pieces: Int, _ pieceLength: Int) throws(KernelError) -> any Memory
  ) {
    self.name = name
    self.summary = summary
    self.needs = needs
    self.settings = settings
    self.traits = traits
    self.catalogued = [name] + catalogued
    self.maximumDepth = maximumDepth
    self.disk = disk
    self.isState = isState ?? (c == nil)
    self.c = c
    self.withoutC = withoutC
    self.make = make
  }
}

/// A buffer of one kind of memory: pieces at equal distances, so that each has pages of its own.
protocol Memory: AnyObject, Sendable {
  /// Start of the first piece.
  var base: UnsafeMutableRawPointer { get }
  /// Bytes of all pieces.
  var length: Int { get }
  /// From one piece's start to the next one's, in bytes; whole pages of the kind.
  var stride: Int { get }

  /// Gives all frames back and maps anew, so that the next stores get new, exclusive ones.
  func renew() throws(KernelError)

  /// Whether the pages are stored to before a trial; what is not holds zeros.
  var isFilled: Bool { get }

  /// Whether they hold zeros before the I/O, whoever wrote them.
  var isZero: Bool { get }

  /// Whether a page that is given up comes back with its fill, from a file, and not with zeros.
  var comesBackFilled: Bool { get }

  /// Brings the pages, which hold their fill and are ready for the hazard, into the state that the kind
  /// promises: swapped out, shared with a child, ... Nothing but the I/O touches them afterwards.
  func enter(_ pages: PagesUnderIO) throws(KernelError)
  /// Ends what it keeps up besides its mapping, such as a child. Called once its trials are over.
  func leave()

  /// Whether the pages are what the kind promises.
  /// - Parameters:
  ///   - entries: pagemap's, of each page under I/O.
  ///   - flags: kpageflags' word of the first one's frame; nil where it is hidden.
  func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) throws(KernelError) -> Proof

  /// Lets the kernel take the pages, and what it caches of them, once the I/O is over and all is undone.
  /// - Returns: whether each is gone, so that the next touch must bring it back from where it is kept.
  func reclaim(_ pages: PagesUnderIO) throws(KernelError) -> [Bool]

  /// The file that it is mapped from, if that is on a disk and holds the fill.
  var backing: BackingFile? { get }

  /// Whether a child gets the pages as they enter their state: advice against that must come later.
  var forks: Bool { get }

  /// The process that has the pages too, at the same addresses, if one is kept up.
  var sharer: Int32? { get }

  /// User space puts another page behind `address`, with the same bytes, as a buggy kernel would: the
  /// positive control.
  func replace(_ address: UnsafeMutableRawPointer) throws(KernelError)
}

extension Memory {
  var isFilled: Bool { true }
  var isZero: Bool { !isFilled }
  var comesBackFilled: Bool { false }
  var backing: BackingFile? { nil }
  var sharer: Int32? { nil }
  var forks: Bool { false }
  func enter(_ pages: PagesUnderIO) throws(KernelError) {}
  func leave() {}

  func reclaim(_ pages: PagesUnderIO) throws(KernelError) -> [Bool] {
    for run in pages.runs {
      // Memory that can't be reclaimed refuses the advice.
      madvise(run.start, run.length, CInt(CK_MADV_PAGEOUT))
    }
    return try pages.entries().map { !$0.isPresent }
  }
}

/// A file on a disk, from whose start on a buffer is mapped.
struct BackingFile: Sendable {
  let descriptor: CInt
  /// Of the same file, opened O_DIRECT.
  let direct: CInt
  /// Where its start is mapped.
  nonisolated(unsafe) let base: UnsafeMutableRawPointer

  /// Where in the file the byte at `address` is.
  func offset(of address: UnsafeMutableRawPointer) -> off_t { off_t(address - base) }
}

/// Whether a page is in the state that a case asks for.
enum Proof: Sendable, Equatable {
  /// It is, and this shows it.
  case reached(String)
  /// It is not: what it is instead.
  case missed(String)
}
