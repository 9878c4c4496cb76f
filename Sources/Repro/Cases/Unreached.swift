/// Scenarios that ask no guard on some memory, on any kernel, and why: known, so that silence about a pair of
/// the two is never taken for a clean one.
public struct Unreached: Sendable {
  /// A scenario's name, or a glob of several.
  let scenario: String
  /// A memory's name, or a glob of several.
  let memory: String
  /// One line.
  public let reason: String

  init(_ scenario: String, on memory: String, _ reason: String) {
    self.scenario = scenario
    self.memory = memory
    self.reason = reason
  }

  /// Every one that is known.
  public static let all: [Unreached] = [
    Unreached("ksm", on: "absent", twin),
    Unreached("ksm-cgroups", on: "absent", twin),
    Unreached("ksm-existing", on: "absent", twin),
    Unreached("ksm-swap", on: "absent", twin),
    Unreached("compaction", on: "absent", lowest),
    Unreached("compaction", on: "zero-page", lowest),
    Unreached("compaction", on: "mlocked", "the page is put into the place of one that nobody locked"),
    Unreached(
      "uffd-move", on: "mlocked", "UFFDIO_MOVE wants both mappings locked or neither (validate_move_areas)"),
    Unreached("numa-balancing", on: "hugetlb", "the scheduler does not scan such mappings (task_numa_work)"),
    Unreached("numa-balancing", on: "ext4-shared", dirty),
    Unreached("numa-balancing", on: "xfs-shared", dirty),
    Unreached("numa-balancing", on: "btrfs-shared", dirty),
    Unreached("numa-balancing", on: "*-clean", dirty),
    Unreached("numa-balancing", on: "*-large", dirty),
    Unreached(
      "soft-offline", on: "*-large",
      "a large folio must be split first, and one that is dirty is not (try_to_split_thp_page)"),
  ]

  private static let twin = "the twin is a copy of the page, which is there once it was copied"
  private static let lowest =
    "a page that is stored to is given the lowest frame, for there to be something to move"
  private static let dirty =
    "a page of a file that is dirty, as the I/O's is, is left on its node (migrate_misplaced_folio)"

  /// Why `scenario` asks nothing on `memory`; nil where it does.
  public static func reason(_ scenario: String, on memory: String) -> String? {
    all.first { Glob($0.scenario).matches(scenario) && Glob($0.memory).matches(memory) }?.reason
  }

  /// A pair that it speaks of; the globs themselves where it speaks of none.
  var example: (scenario: String, memory: String) {
    (
      Scenario.all.map(\.name).first { Glob(scenario).matches($0) } ?? scenario,
      MemoryKind.all.map(\.name).first { Glob(memory).matches($0) } ?? memory
    )
  }

  /// For people, as the beginning of a line.
  public var text: String { "`\(scenario)` on `\(memory)`: \(reason)" }
}
