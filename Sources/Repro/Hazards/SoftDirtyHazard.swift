/// clear_refs: writing 4 clears the soft-dirty bits and write-protects, so that the next store sets
/// them (Documentation/admin-guide/mm/soft-dirty.rst). Checkpointing does it to running programs.
/// See ``drawing``.
/// Same break and mend as mprotect: 5.9 to 5.19. Since 6.5 pinned pages are left alone.
final class SoftDirtyHazard: Hazard, Sendable {
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

  static let cFragment = CFragment(
    globals: """
      static bool is_soft_dirty(void)
      {
        return pagemap(buf) >> 55 & 1;
      }
      """,
    setUp: """
      buf[0] = FILL;
      if (!is_soft_dirty())
        END(SKIPPED, "the kernel does not track soft-dirty pages: CONFIG_MEM_SOFT_DIRTY");
      """,
    act: """
      int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

      if (write(fd, "4", 1) != 1)
        END(ERROR, "write 4 to /proc/self/clear_refs: %m");
      close(fd);
      return !is_soft_dirty(); /* pinned pages are left alone */
      """,
    canBeRefused: true)

  static let guards = [leaves, .writeFaultReuses]
  private static let leaves = Guard(
    "clear-refs-leaves-pinned",
    "clear_refs left the page soft-dirty while the I/O had it, and cleared it afterwards")
  let refusal: Guard? = leaves

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let before = try pages.entries()
    try KernelFile.write("/proc/self/clear_refs", "4")
    return zip(before, try pages.entries()).map { before, after in
      if !before.isSoftDirty { return .noEffect("the page was not soft-dirty before") }
      return after.isSoftDirty
        ? .refused("clear_refs left the page soft-dirty (the kernel skips pinned pages)")
        : .applied("clear_refs cleared the page's soft-dirty bit")
    }
  }
}
