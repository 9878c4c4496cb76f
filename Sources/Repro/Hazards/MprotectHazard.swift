import Glibc

/// mprotect(2) to read-only and back: the page stays write-protected, and the next store decides
/// whether it may be reused.
/// See ``drawing``.
/// Broken by 09854ba94c6a (5.8 to 5.9: a reference count above 1 means copy), mended by
/// 6c287605fd56 (5.19: PG_anon_exclusive).
final class MprotectHazard: Hazard {
  static let drawing = """
    reader                        kernel                    hazard / store
    read(fd, buf) ------------->  takes P1 behind buf
                                                            mprotect(buf, PROT_READ)
                                                            mprotect(buf, PROT_READ | PROT_WRITE)
                                                            store to buf: write fault; P1 has an
                                                            extra reference: copied, buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let cFragment = CFragment(
    act: """
      if (mprotect(buf, page_size, PROT_READ) < 0 ||
          mprotect(buf, page_size, PROT_READ | PROT_WRITE) < 0)
        END(ERROR, "mprotect: %m");
      return true;
      """)

  func act(_ page: PageUnderIO) throws(KernelError) -> HazardOutcome {
    if mprotect(page.address, page.size, PROT_READ) != 0 { throw .last("mprotect PROT_READ") }
    if mprotect(page.address, page.size, PROT_READ | PROT_WRITE) != 0 {
      throw .last("mprotect PROT_READ | PROT_WRITE")
    }
    return .applied("mprotect made the page read-only and writable again")
  }
}
