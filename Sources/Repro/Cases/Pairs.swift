/// Ordered pairs of hazards, one after the other while the I/O is held: generated from the table of
/// scenarios, and run only for who asks for them, or for everything.
extension Scenario {
  /// Every pair that means something, in the order of the table.
  public static let pairs: [Scenario] = {
    let single = singles.filter(\.isPairable)
    let written = Set(singles.map(\.name))
    return single.flatMap { first in
      single.filter { first.canPrecede($0) }.map { Scenario(first, then: $0) }
    }.filter { !written.contains($0.name) }
  }()

  /// The scenarios of which a pair is made, in order; itself for any other.
  public var members: [Scenario] {
    pair.isEmpty ? [self] : pair.compactMap { name in Self.all.first { $0.name == name } }
  }

  private static let joint = "-then-"

  /// One hazard while the I/O is held, whatever the memory is, and then a store.
  private var isPairable: Bool {
    role == .hazard && direction == .read && steps == .held() && makeHazards.count == 1 && !isFreeOnly
      && caching == .none && memory.isSubset(of: MemoryKind.all[0].traits) && !Self.leftOut.contains(name)
  }

  /// Left out of pairs: those that replace nothing and protect nothing by definition, one of which every other
  /// hazard would find nothing left, and those that are another way to ask what `ksm`, `pageout` and
  /// `move_pages` ask, each with settings of its own.
  private static let leftOut: Set<String> = [
    "none-late", "vfork", "posix_spawn", "madv-dontneed", "ksm-cgroups", "memcg-reclaim", "cpuset-mems",
    "numa-balancing", "soft-offline",
  ]

  /// The same twice asks nothing new, and two descriptors can't both register the memory with userfaultfd.
  private func canPrecede(_ other: Scenario) -> Bool {
    let names: Set = [name, other.name]
    return names.count == 2 && !names.isSubset(of: Self.registering)
      && (names.isDisjoint(with: Self.advising) || names.isDisjoint(with: Self.remapping))
  }

  private static let registering: Set<String> = ["uffd-protect", "uffd-move"]
  /// Those that say something about the mapping before the I/O ...
  private static let advising: Set<String> = [
    "uffd-protect", "madvise-dontfork-fork", "madvise-wipeonfork-fork",
  ]
  /// ... and those to which it makes no difference, or takes what they need: another mapping, a child with
  /// the page.
  private static let remapping: Set<String> = ["compaction", "fork-child-reads"]

  private init(_ first: Scenario, then second: Scenario) {
    func union<Item: Equatable>(_ path: KeyPath<Scenario, [Item]>) -> [Item] {
      first[keyPath: path] + second[keyPath: path].filter { !first[keyPath: path].contains($0) }
    }
    self.init(
      "\(first.name)\(Self.joint)\(second.name)", "\(first.summary); then \(second.summary)",
      steps: .held(hazards: 2), guards: union(\.guards), needs: union(\.needs), settings: union(\.settings),
      memory: first.memory.union(second.memory), losses: first.losses.union(second.losses),
      raceObstacle: "its steps have an order that a race does not keep",
      pair: [first.name, second.name],
      withoutC: "it is generated; export \(first.name) and \(second.name)",
      then: second.makeHazards, hazard: first.makeHazards[0])
  }
}
