import Glibc
import SystemPackage

/// MADV_SOFT_OFFLINE: the kernel takes the frame out of use, as after corrected errors of the memory, and moves
/// what is in it elsewhere.
/// See ``drawing``.
/// The guard is the expected reference count of mm/migrate.c, by which soft_offline_in_use_page moves
/// (mm/memory-failure.c); no released kernel is known to lack it.
final class SoftOfflineHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard
    read(fd, buf) ------------->  takes P1 behind buf
                                                            madvise(buf, MADV_SOFT_OFFLINE): must see
                                                            the extra reference and give up (EBUSY);
                                                            else buf is P2, and P1 is nobody's
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  let refusal: Guard? = Guard.migrationCounts
  let replacesFrames = true
  fileprivate static let softOffline: CInt = 101  // MADV_SOFT_OFFLINE

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let before = try pages.entries()
    var says = [String](repeating: "madvise returned 0", count: pages.count)
    for (page, address) in pages.addresses.enumerated()
    where madvise(address, pages.size, Self.softOffline) != 0 {
      says[page] = "\(KernelError.last("madvise"))"
    }
    return Migration.outcomes(before, try pages.entries(), by: "MADV_SOFT_OFFLINE") { says[$0] }
  }

  /// A page that moved under I/O was not guarded.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}

extension Need {
  /// A kernel that can take frames out of use, on a machine that nobody will miss them on.
  static let softOffline = Need("soft offline on a machine of its own", isOfMachine: true) {
    // No page has an address of 0, but the advice is looked at first.
    if madvise(nil, 0, SoftOfflineHazard.softOffline) != 0 {
      return errno == EPERM
        ? "MADV_SOFT_OFFLINE is not allowed: run as root (CAP_SYS_ADMIN)"
        : lack("MADV_SOFT_OFFLINE", "build it with CONFIG_MEMORY_FAILURE=y")
    }
    return OwnMachine.isOurs
      ? nil : "it takes frames out of use until the next boot: run it in a guest (repro vm)"
  }
}

/// Whether this machine is the program's own: a guest, of which nothing is left afterwards.
public enum OwnMachine {
  private static let mark = "REPRO_OWN_MACHINE"

  /// Says so, for this process and its children. Only for an init process that has seen to it.
  public static func declare() { setenv(mark, "1", 1) }

  static var isOurs: Bool { getenv(mark) != nil }
}
