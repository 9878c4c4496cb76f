import Foundation
import Testing

@testable import Repro

@Suite struct SealTests {
  private let text = "# sealed\nscenarios=fork\ntrials=20\n"

  @Test func `what is sealed comes out`() throws {
    #expect(try Seal.text(inTrailer: Seal.trailer(text)) == text)
    #expect(try Seal.text(inTrailer: Seal.trailer("")) == "")
  }

  @Test func `every cut is refused`() {
    let trailer = Seal.trailer(text)
    for length in 0..<trailer.count {
      #expect(throws: SealError.self) { try Seal.text(inTrailer: Array(trailer.prefix(length))) }
      #expect(throws: SealError.self) { try Seal.text(inTrailer: Array(trailer.suffix(length))) }
    }
  }

  @Test func `every flipped bit is refused`() {
    let trailer = Seal.trailer(text)
    for bit in 0..<trailer.count * 8 {
      var edited = trailer
      edited[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: SealError.self) { try Seal.text(inTrailer: edited) }
    }
  }

  @Test func `a hundred thousand mutated trailers give the sealed text or an error`() {
    let trailer = Seal.trailer(text)
    var generator = SplitMix64(seed: 4)
    var accepted = 0
    for _ in 0..<100_000 {
      let edited = Mutation.of(trailer, using: &generator)
      guard let found = try? Seal.text(inTrailer: edited) else { continue }
      accepted += 1
      if found != text { Issue.record("a mutated trailer was taken for '\(found)'") }
    }
    // Some mutations change nothing; most must be refused.
    #expect(accepted < 10_000)
  }

  @Test func `a hundred thousand mutated plans are read or refused, and those read keep their meaning`() {
    var plan = Plan(Selection(scenarios: ["fork", "ksm"]), seed: Seed(0xdead_beef))
    plan.trials = 5
    plan.depth = 2
    plan.selection.memories = [.anon, .thp]
    plan.selection.targets = [TargetSpec(.scratch, path: "/var/tmp")]
    plan.time = 1.5
    let bytes = [UInt8](plan.text.utf8)
    var generator = SplitMix64(seed: 5)
    for _ in 0..<100_000 {
      let edited = String(decoding: Mutation.of(bytes, using: &generator), as: UTF8.self)
      guard let read = try? Plan(text: edited) else { continue }
      if (try? Plan(text: read.text)) != read { Issue.record("'\(edited)' changes when it is written") }
      if (try? read.selection.chosenScenarios().isEmpty) != false { Issue.record("'\(edited)' runs nothing") }
    }
  }

  @Test func `an executable is measured by its own headers`() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("repro-seal-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("program")
    let program = try Data(contentsOf: URL(fileURLWithPath: "/bin/true"))
    try program.write(to: file)
    #expect(try Seal.text(of: file.path) == nil)
    try (program + Data(Seal.trailer(text))).write(to: file)
    #expect(try Seal.text(of: file.path) == text)
    try (program + Data("something else".utf8)).write(to: file)
    #expect(throws: SealError.self) { try Seal.text(of: file.path) }
    try program.dropLast(100).write(to: file)
    #expect(throws: SealError.self) { try Seal.text(of: file.path) }
    try Data("#!/bin/sh\n".utf8).write(to: file)
    #expect(throws: SealError.self) { try Seal.text(of: file.path) }
    #expect(throws: SealError.self) { try Seal.text(of: folder.path + "/missing") }
  }
}

/// Random damage: flipped, replaced, removed, doubled and inserted bytes.
enum Mutation {
  static func of(_ bytes: [UInt8], using generator: inout SplitMix64) -> [UInt8] {
    var bytes = bytes
    for _ in 0...Int.random(in: 0..<4, using: &generator) {
      let at = Int.random(in: 0...bytes.count, using: &generator)
      switch Int.random(in: 0..<5, using: &generator) {
      case 0 where at < bytes.count: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 1 where at < bytes.count: bytes[at] = .random(in: 0...255, using: &generator)
      case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 0..<9, using: &generator)))
      case 3: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 8)], at: at)
      default: bytes.insert(.random(in: 0...255, using: &generator), at: at)
      }
    }
    return bytes
  }
}
