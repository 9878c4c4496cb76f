import CKernel
import Glibc

/// The positive control: user space replaces the page, exactly as a buggy kernel would.
/// See ``drawing``.
/// It fires on every kernel and needs no privilege: when it does not, the suite can't see losses.
final class RemapHazard: Hazard {
  static let drawing = """
    reader                        kernel                 hazard
    read(fd, buf) ------------->  takes P1 behind buf
                                                         P2 = copy of P1
                                                         mremap(P2 -> buf)
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let cFragment = CFragment(
    act: """
      void *copy = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

      if (copy == MAP_FAILED)
        END(ERROR, "mmap: %m");
      memcpy(copy, buf, page_size);
      if (mremap(copy, page_size, page_size, MREMAP_MAYMOVE | MREMAP_FIXED, buf) != buf)
        END(ERROR, "mremap: %m");
      return true;
      """)

  func act(_ page: PageUnderIO) throws(KernelError) -> HazardOutcome {
    var copy: UnsafeMutableRawPointer?
    try check(ck_map(page.size, 0, &copy), "mmap the new page")
    guard let copy else { return .noEffect("mmap gave no page") }
    memcpy(copy, page.address, page.size)
    try check(ck_remap_over(copy, page.size, page.address), "mremap over the page")
    return .applied("mremap put a copy of the page over it")
  }
}
