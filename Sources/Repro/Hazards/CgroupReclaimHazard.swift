import Glibc

/// Reclaim of the memory cgroup that the page is charged to: what a container meets that outgrows its memory. The
/// kernel is asked by `memory.reclaim` where it has that, else by the group's limit (``Cgroup/reclaim()``). The page
/// takes the way of ``PageoutHazard``, but the kernel chooses it. See ``drawing``.
/// The guards are those of MADV_PAGEOUT; without any, the loss is `cow-swap`'s.
enum CgroupReclaimHazard {
  static let drawing = """
    reader                        kernel                    hazard / store
    read(fd, buf) ------------->  takes P1 behind buf,
                                  charged to a cgroup
                                                            the cgroup is reclaimed, as at its limit:
                                                            must see the extra reference and leave P1;
                                                            else P1 in the swap cache, buf a swap entry
                                                            load from buf: P1 mapped read-only
                                                            store to buf: write fault; P1 has an
                                                            extra reference: copied, buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let settings: [Setting] = [.swap, .cgroup(.memory, name)]
  private static let name = "reclaim"

  /// This process is in the group from before the pages' first touch, so that they are charged to it.
  static func make() throws(KernelError) -> PageoutHazard {
    let group = try Cgroup(.memory, name)
    return PageoutHazard(
      by: PageoutHazard.Reclaim(name: "reclaim of the cgroup") { pages throws(KernelError) in
        // Old, so that reclaim need not look at the page twice. Memory that is locked refuses.
        for run in pages.runs { madvise(run.start, run.length, MADV_COLD) }
        try group.reclaim()
      })
  }
}
