/// Another hazard under I/O for which it is no danger: what counts as an exposure there is said by who inherits.
class HazardUnderOtherIO: Hazard, @unchecked Sendable {  // `inner` is a hazard, which is
  private let inner: any Hazard

  init(_ inner: any Hazard) { self.inner = inner }

  var refusal: Guard? { inner.refusal }
  var givesUp: Bool { inner.givesUp }
  var replacesFrames: Bool { inner.replacesFrames }
  var toleratesStores: Bool { inner.toleratesStores }
  var lossOnSecondLook: Damage.Kind? { inner.lossOnSecondLook }

  func prepare(_ pages: PagesUnderIO) throws(KernelError) { try inner.prepare(pages) }
  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] { try inner.act(pages) }
  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] { try inner.settle(pages) }
  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    try inner.actWithoutIO(pages)
  }
  func asked(_ page: Observation, _ number: Int) -> Guard? { inner.asked(page, number) }
}

/// A buffered read holds no page of its buffer: when the data is there it is copied to what stands behind the address
/// by then. So whatever replaced the page, nothing can be lost.
/// ```
///  reader                        kernel                           hazard / store
///  read(fd, buf), buffered --->  waits for the page cache, or for
///                                a page before buf
///                                                                 P1 behind buf replaced by P2
///                                copies to buf: P2
///  <---------------------------
///  verify: buf is P2, with the data
/// ```
final class BufferedRead: HazardUnderOtherIO, @unchecked Sendable {
  static let guards = [copies]
  private static let copies = Guard(
    "copies-to-the-address",
    "the page was replaced, or its store took a fault, while the read was under way, and the data came to what "
      + "stood behind the address then")

  /// A child that is born before the copy may well see none of it, or all.
  override func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    _ = try super.settle(pages)
    return []
  }

  override func asked(_ page: Observation, _ number: Int) -> Guard? {
    page.faults > 0 || page.keptFrame == false ? Self.copies : nil
  }
}

/// A direct write reads the page that it took, and that page holds what was to be written, whatever stands behind the
/// address by then.
/// ```
///  writer                        kernel                           hazard / store
///  write(fd, buf) ------------>  takes P1 behind buf
///                                                                 P1 behind buf replaced by P2,
///                                                                 store to buf: to P2
///                                P1 goes to the disk
///  <---------------------------
///  read back: each word as it was before the store, or after it
/// ```
final class DirectWrite: HazardUnderOtherIO, @unchecked Sendable {
  static let guards = [keeps]
  private static let keeps = Guard(
    "write-keeps-its-page",
    "the page was replaced while the write had it, and what was written is what it held")

  override func asked(_ page: Observation, _ number: Int) -> Guard? {
    super.asked(page, number) ?? (page.keptFrame == false ? Self.keeps : nil)
  }
}
