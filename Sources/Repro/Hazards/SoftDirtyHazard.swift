/// clear_refs: writing 4 clears the soft-dirty bits and write-protects, so that the next store sets
/// them (Documentation/admin-guide/mm/soft-dirty.rst). Checkpointing does it to running programs.
/// See ``drawing``.
/// Same break and mend as mprotect: 5.9 to 5.19. Since 6.5 pinned pages are left alone.
final class SoftDirtyHazard: Hazard {
  static let drawing = """
    reader                        kernel                    hazard / store
    read(fd, buf) ------------->  takes P1 behind buf
                                                            echo 4 > /proc/self/clear_refs:
                                                            P1 write-protected
                                                            store to buf: write fault; P1 has an
                                                            extra reference: copied, buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  func act(_ page: PageUnderIO) throws(KernelError) -> HazardOutcome {
    if !(try page.entry().isSoftDirty) { return .noEffect("the page was not soft-dirty before") }
    try KernelFile.write("/proc/self/clear_refs", "4")
    return try page.entry().isSoftDirty
      ? .refused("clear_refs left the page soft-dirty (the kernel skips pinned pages)")
      : .applied("clear_refs cleared the page's soft-dirty bit")
  }
}
