import CKernel

/// What became of a hazard, for all pages under I/O or for one.
public struct HazardOutcome: Sendable, Codable, Equatable {
  /// The three ways it can go.
  public enum Kind: String, Sendable, Codable {
    /// The page's state shows that the kernel did it.
    case applied
    /// The kernel's guard said no.
    case refused
    /// The kernel said yes, and nothing happened.
    case noEffect = "no effect"
  }

  /// Which way it went.
  public var kind: Kind
  /// How that is known: what pagemap showed, or the kernel's refusal.
  public var evidence: String

  static func applied(_ evidence: String) -> Self { Self(kind: .applied, evidence: evidence) }
  static func refused(_ evidence: String) -> Self { Self(kind: .refused, evidence: evidence) }
  static func noEffect(_ evidence: String) -> Self { Self(kind: .noEffect, evidence: evidence) }

  var isApplied: Bool { kind == .applied }

  /// Kind and evidence in words.
  public var text: String { isApplied ? evidence : "\(kind.rawValue): \(evidence)" }
}

extension [HazardOutcome] {
  /// The outcome for a page: outcomes are one a page, or one for all.
  func of(_ page: Int) -> HazardOutcome? { page < count ? self[page] : count == 1 ? self[0] : nil }
}

/// An operation that makes the kernel replace, write-protect or unmap pages under I/O.
/// One value serves all trials of a case; each trial calls the methods in this order.
protocol Hazard: AnyObject, Sendable {
  /// Brings the pages into the state that the hazard needs, before the I/O. They hold their fill.
  func prepare(_ pages: PagesUnderIO) throws(KernelError)
  /// Does it, while the I/O is in flight.
  /// - Returns: one outcome for all pages, or one a page; from the pages' state, not from a return code.
  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome]
  /// Undoes it after the I/O: children end, swapped pages come back.
  /// - Returns: what others than this process saw of the pages.
  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View]
  /// Does it again without I/O, on the same pages: a hazard that is refused both times was never
  /// eligible, and its refusal shows nothing.
  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome]
  /// The guard that a page's state shows to have been asked, once the hazard applied and the toucher
  /// was done; nil when none was. Called after ``settle(_:)``, for page number `number`.
  func asked(_ page: Observation, _ number: Int) -> Guard?
  /// The guard that a refusal shows at work, if the same works without I/O.
  var refusal: Guard? { get }
  /// Whether zeros are right as well, wherever the I/O or the fill should be: the caller gave the page up.
  var givesUp: Bool { get }
  /// Whether an applied hazard has put another frame behind the address. A claim that the frames
  /// contradict is the harness's error.
  var replacesFrames: Bool { get }
  /// Whether another thread may store to the pages while the hazard acts.
  var toleratesStores: Bool { get }
  /// Frames that the pages had in all trials so far, and that nobody may have once the memory is given back.
  var framesHad: Set<UInt64> { get }
  /// Whether it acts on all pages of the process whichever it is given, as fork does.
  var concernsProcess: Bool { get }
  /// Whether it compares the pages with others that it made like them: only pages that nobody stores to will do.
  var needsTwins: Bool { get }
  /// What damage is called that only shows after ``settle(_:)``; nil for what the verifier calls it.
  var lossOnSecondLook: Damage.Kind? { get }
  /// Whether what ``settle(_:)`` tells must be so whenever the hazard came, before the I/O or after it.
  var viewsHoldInRaces: Bool { get }
  /// Whether it is enough for a race that it began while the I/O was in flight.
  var mayOutlastIO: Bool { get }
  /// Whether it concerns what the I/O does to get its pages, so that a race must have it under way by then; that the
  /// I/O had not got the page before is for ``asked(_:_:)`` to see.
  var mayPrecedeIO: Bool { get }
}

extension Hazard {
  var refusal: Guard? { nil }
  var givesUp: Bool { false }
  var replacesFrames: Bool { false }
  var toleratesStores: Bool { true }
  var framesHad: Set<UInt64> { [] }
  var concernsProcess: Bool { false }
  var needsTwins: Bool { false }
  var lossOnSecondLook: Damage.Kind? { nil }
  var viewsHoldInRaces: Bool { false }
  var mayOutlastIO: Bool { false }
  var mayPrecedeIO: Bool { false }

  func prepare(_ pages: PagesUnderIO) throws(KernelError) {}
  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] { [] }
  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] { try act(pages) }

  /// A store that took a fault and found the frame still there asked whether the page may be reused; one
  /// without a fault asked nothing.
  func asked(_ page: Observation, _ number: Int) -> Guard? {
    page.faults > 0 && page.keptFrame != false ? .writeFaultReuses : nil
  }
}

/// What is seen of a page elsewhere than in the buffer, once the I/O is over.
struct View: Sendable {
  /// What must be seen there.
  enum Content: Sendable {
    /// The fill: it is none of the I/O's, and its data must not be there.
    case fill
    /// What the I/O transferred.
    case data
    /// Of each sector, what the I/O transferred or what stands at ``View/before``.
    case either
  }

  /// Which page, from 0.
  let page: Int
  nonisolated(unsafe) let copy: UnsafeRawPointer
  /// Whose it is.
  var region = Damage.Region.child
  var content = Content.fill
  /// Why it could not be read; then `copy` says nothing.
  var failure: KernelError?
  /// What stood there before the I/O; of ``Content/either``.
  nonisolated(unsafe) var before: UnsafeRawPointer?
}

/// What was seen of one page in one trial, in the order of time; nil for what was not looked at.
struct Observation: Sendable {
  /// The I/O has the page, and nothing has happened yet.
  var arrival: PageMapEntry?
  /// The hazard is done.
  var hazarded: PageMapEntry?
  /// The I/O has the page, where a hazard came before it.
  var taken: PageMapEntry?
  /// The toucher is done, and the I/O still in flight.
  var touched: PageMapEntry?
  /// Right after the I/O.
  var end: PageMapEntry?
  /// Minor faults that the toucher took on the page (ru_minflt of its thread).
  var faults = 0

  /// Whether the frame at arrival was still there after the toucher; nil when frames are hidden.
  var keptFrame: Bool? {
    guard let before = arrival?.frame else { return nil }
    return (touched ?? end).map { $0.frame == before }
  }
}

/// The pages that an I/O fills or empties, as hazards see them: the last page of each piece.
struct PagesUnderIO: Sendable {
  let memory: any Memory
  /// Start of each page; `stride` bytes apart.
  nonisolated(unsafe) let addresses: [UnsafeMutableRawPointer]
  let stride: Int
  /// Bytes of a page; what is compared.
  let size: Int
  /// Whether the I/O waits for the hazard.
  let schedule: Schedule
  let timeline: Timeline
  let pageMap: PageMap
  /// Nanoseconds after which a wait for the kernel is given up.
  let patience: Nanoseconds
  /// The I/O that has the pages, or will have.
  var transfer: Transfer

  var count: Int { addresses.count }

  /// The I/O's bytes of the piece that ends with page number `page`: where they are, and how many.
  func placed(_ page: Int) -> (memory: UnsafeMutableRawPointer, offset: Int64, length: Int) {
    let length = transfer.length / count
    let first = transfer.segments[page * (transfer.segments.count / count)]
    return (first.memory, transfer.offset + Int64(page * length), length)
  }

  /// Where in the target page number `page` is read from or written to, in bytes.
  func place(_ page: Int) -> Int {
    let placed = placed(page)
    return Int(placed.offset) + (addresses[page] - placed.memory)
  }

  /// Pages that follow each other without a gap, as one range each: what one system call can serve.
  var runs: [(start: UnsafeMutableRawPointer, length: Int)] {
    stride == size ? [(addresses[0], count * size)] : addresses.map { ($0, size) }
  }

  /// pagemap's entries, in as few reads as the pages' places allow.
  func entries() throws(KernelError) -> [PageMapEntry] { try entries(in: pageMap) }

  /// What another process has at the same addresses.
  func entries(in map: PageMap) throws(KernelError) -> [PageMapEntry] {
    if stride == size { return try map.entries(of: addresses[0], count: count) }
    var entries: [PageMapEntry] = []
    for address in addresses { entries.append(try map.entry(of: address)) }
    return entries
  }

  /// The pages for C functions.
  var forChild: ck_child_pages {
    ck_child_pages(
      first: addresses[0].assumingMemoryBound(to: CChar.self), stride: stride, length: size, count: count)
  }
}
