import CKernel
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

  /// The gaps must reach the allocator, and not wait in a CPU's list of free pages (Linux 5.14).
  static let settings: [Setting] = [
    .file("/proc/sys/vm/percpu_pagelist_high_fraction", "1000000", .wished)
  ]

  static let file = "/proc/sys/vm/compact_memory"

  let refusal: Guard? = Guard.migrationCounts
  let replacesFrames = true

  /// Compaction fills gaps near the end of a zone, and no blocks that are free as a whole. So others take
  /// memory first, the page becomes the one of theirs that is nearest to the start, and they leave with gaps.
  func prepare(_ pages: PagesUnderIO) throws(KernelError) {
    try AddressRange.map(others.base, others.length, MAP_PRIVATE | MAP_ANONYMOUS)
    _ = madvise(others.base, others.length, MADV_NOHUGEPAGE)
    for start in stride(from: 0, to: others.length, by: kernelPageSize) { ck_store64(others.base + start, 1) }
    let frames = try pages.pageMap.entries(of: others.base, count: others.length / kernelPageSize).map(
      \.frame)
    let lowest = frames.indices.sorted { (frames[$0] ?? .max) < (frames[$1] ?? .max) }
    for (address, place) in zip(pages.addresses, lowest) {
      let low = others.base + place * kernelPageSize
      memcpy(low, address, kernelPageSize)
      try check(ck_remap_over(low, kernelPageSize, address), "mremap over the page")
    }
    // Where the pages came from nothing is mapped any more, which the call minds, and goes on.
    for start in stride(from: 0, to: others.length, by: 2 * Self.gap) {
      _ = madvise(others.base + start, Self.gap, MADV_DONTNEED)
    }
  }

  /// Bytes.
  private static let gap = 32 * kernelPageSize
  private let others: AddressRange

  init() throws(KernelError) { others = try AddressRange(length: 8 << 20) }

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
  static let compaction = Need("compaction", isOfMachine: true) {
    Need.writable(
      CompactionHazard.file, or: "the kernel has no compaction: build it with CONFIG_COMPACTION=y")
  }
}
