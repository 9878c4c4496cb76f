/// A share of a plan's cases, `2/8`: every eighth case, from the second on. The shares of all shards are
/// disjoint, are all of the cases together, and differ by one case at most.
public struct Shard: Sendable, Hashable, CustomStringConvertible {
  /// Which one, from 1.
  public let index: Int
  /// Of how many.
  public let count: Int

  /// Shards beyond this are a mistake.
  static let most = 10_000

  /// Shard `index` of `count`; nil unless 1 <= index <= count.
  public init?(_ index: Int, of count: Int) {
    guard count >= 1, count <= Self.most, index >= 1, index <= count else { return nil }
    self.index = index
    self.count = count
  }

  /// Reads ``description``'s form.
  public init?(parsing text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let index = parts[0], let count = parts[1] else { return nil }
    self.init(index, of: count)
  }

  /// `2/8`.
  public var description: String { "\(index)/\(count)" }

  /// This shard's elements of `all`, in their order.
  public func share<Element>(of all: [Element]) -> [Element] {
    stride(from: index - 1, to: all.count, by: count).map { all[$0] }
  }

  /// Puts the shares of shards 1, 2, ... together again, in the order of the whole; nil when they are not the
  /// shares of one whole.
  public static func whole<Element>(_ shares: [[Element]]) -> [Element]? {
    let total = shares.reduce(0) { $0 + $1.count }
    for (place, share) in shares.enumerated() {
      let due = (total - place + shares.count - 1) / shares.count
      if share.count != due { return nil }
    }
    return (0..<total).map { shares[$0 % shares.count][$0 / shares.count] }
  }
}
