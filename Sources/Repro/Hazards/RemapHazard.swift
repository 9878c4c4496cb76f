/// The positive control: user space replaces the page, exactly as a buggy kernel would.
/// See ``drawing``.
/// It fires on every kernel and needs no privilege: when it does not, the suite can't see losses.
final class RemapHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                 hazard
    read(fd, buf) ------------->  takes P1 behind buf
                                                         P2 = copy of P1
                                                         mremap(P2 -> buf)
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  /// The memory says how: it is a C program's `replace` too.
  static let cFragment = CFragment(
    act: """
      return replace();
      """)

  let replacesFrames = true

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    for address in pages.addresses { try pages.memory.replace(address) }
    return [.applied("user space put another page over it, with the same bytes")]
  }

  /// User space does it; no guard is asked.
  func asked(_ page: Observation, _ number: Int) -> Guard? { Guard.none }
}
