/// Ordered pairs of hazards, one after the other while the I/O is held: generated from the table of
/// scenarios, and run only for who asks for them, or for everything.
extension Scenario {
  /// Every pair that means something, in the order of the table.
  static let pairs: [Scenario] = {
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
    role == .hazard && direction == .read && steps == .held() && makeHazards.count == 1
      && memory.isSubset(of: MemoryKind.all[0].traits) && !Self.leftOut.contains(name)
  }

  /// Left out of pairs: those that replace nothing and protect nothing by definition, and one of which
  /// every other hazard would find nothing left.
  private static let leftOut: Set<String> = ["none-late", "vfork", "posix_spawn", "madv-dontneed"]

  /// Two descriptors can't both register the memory with userfaultfd, and the same twice asks nothing new.
  private func canPrecede(_ other: Scenario) -> Bool {
    name != other.name && !(name.hasPrefix("uffd-") && other.name.hasPrefix("uffd-"))
  }

  private init(_ first: Scenario, then second: Scenario) {
    func union<Item: Equatable>(_ path: KeyPath<Scenario, [Item]>) -> [Item] {
      first[keyPath: path] + second[keyPath: path].filter { !first[keyPath: path].contains($0) }
    }
    self.init(
      "\(first.name)\(Self.joint)\(second.name)", "\(first.summary); then \(second.summary)",
      steps: .held(hazards: 2), guards: union(\.guards), needs: union(\.needs), settings: union(\.settings),
      memory: first.memory.union(second.memory), losses: first.losses.union(second.losses),
      raceObstacle: "its steps have an order that a race does not keep", pair: [first.name, second.name],
      then: second.makeHazards, hazard: first.makeHazards[0])
  }
}
