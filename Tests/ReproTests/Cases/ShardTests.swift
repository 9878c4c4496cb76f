import Testing

@testable import Repro

@Suite("Shards")
struct ShardTests {
  private static func shares<Element>(of all: [Element], _ count: Int) throws -> [[Element]] {
    try (1...count).map { try #require(Shard($0, of: count)).share(of: all) }
  }

  @Test("are disjoint and the whole together, in its order, and differ by one at most", arguments: 0...70)
  func exact(total: Int) throws {
    let all = Array(0..<total)
    for count in 1...80 {
      let shares = try Self.shares(of: all, count)
      #expect(shares.flatMap(\.self).sorted() == all)
      #expect(Shard.whole(shares) == all)
      let sizes = shares.map(\.count)
      #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
    }
  }

  @Test("of one plan are its cases", arguments: [1, 2, 3, 7, 8, 61, 500])
  func plan(count: Int) throws {
    var plan = Plan(Selection(), seed: Seed(1))
    let all = try plan.expand().cases.map(\.name)
    var shares: [[CaseName]] = []
    for index in 1...count {
      plan.selection.shard = Shard(index, of: count)
      // As another machine reads it.
      shares.append(try Plan(text: plan.text).expand().cases.map(\.name))
    }
    #expect(Shard.whole(shares) == all)
  }

  @Test("that are of no one whole are told")
  func strangers() {
    #expect(Shard.whole([[1, 2], [3], [4, 5]]) == nil)
    #expect(Shard.whole([[1], [2, 3]]) == nil)
    #expect(Shard.whole([[1, 3], [2]]) == [1, 2, 3])
  }

  @Test("are read from what they write, and from nothing else")
  func text() {
    #expect(Shard(parsing: "2/8")?.description == "2/8")
    for text in ["0/8", "9/8", "-1/8", "1/0", "1", "1/", "/2", "1/2/3", "a/b", "1/100000", ""] {
      #expect(Shard(parsing: text) == nil, "\(text)")
    }
  }

  @Test("with no case are skipped, and say so")
  func empty() throws {
    let run = try CampaignRun(.staged, []) { $0.selection.shard = Shard(3, of: 4) }
    #expect(run.end.verdict == .skipped)
    #expect(run.end.reason == "no case falls to shard 3/4")
  }
}
