import Glibc

/// Memory compaction: the kernel moves pages from the start of a zone to its end, to get contiguous room.
/// See ``drawing``.
/// The guards are the expected reference count of mm/migrate.c and, before that, isolate_migratepages_block,
/// which skips pages that have more references than mappings.
final class CompactionHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard
    read(fd, buf) ------------->  takes P1 behind buf
                                                            echo 1 > /proc/sys/vm/compact_memory:
                                                            must see the extra reference and leave
                                                            P1; else buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let cFragment = CFragment(
    act: """
      unsigned long long before = pagemap(buf);
      int fd = open("\(file)", O_WRONLY | O_CLOEXEC);

      if (write(fd, "1", 1) != 1)
        END(SKIPPED, "compact_memory: %m; be root, with CONFIG_COMPACTION");
      close(fd);
      return (pagemap(buf) ^ before) & FRAME;
      """,
    canBeRefused: true)

  static let file = "/proc/sys/vm/compact_memory"

  let refusal: Guard? = Guard.migrationCounts
  let replacesFrames = true

  /// Compaction fills gaps near the end of a zone, where new pages mostly come from, and no blocks that are
  /// free as a whole. So others take that end first, the page is put elsewhere, and they leave with gaps.
  func prepare(_ pages: PagesUnderIO) throws(KernelError) {
    try AddressRange.map(others.base, others.length, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE)
    for address in pages.addresses { try pages.memory.replace(address) }
    for start in stride(from: 0, to: others.length, by: 2 * Self.gap) {
      try advise(MADV_DONTNEED, "MADV_DONTNEED", others.base + start, Self.gap)
    }
  }

  /// Bytes.
  private static let gap = 32 * kernelPageSize
  private let others: AddressRange

  init() throws(KernelError) { others = try AddressRange(length: 32 << 20) }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let before = try pages.entries()
    try KernelFile.write(Self.file, "1")
    return Migration.outcomes(before, try pages.entries(), by: "compaction") { _ in
      "which it may have had no reason to move"
    }
  }

  /// A page that moved under I/O was not guarded.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}

extension Need {
  /// Compaction on demand.
  static let compaction = Need("compaction") {
    Need.writable(CompactionHazard.file, or: "the kernel has no compaction: build it with CONFIG_COMPACTION=y")
  }
}
