import CKernel

/// What a range of a buffer must hold.
public struct Expectation: Sendable {
  /// The name of the range in reports.
  public let region: Damage.Region
  /// Bytes of the buffer, multiples of 8.
  public let range: Range<Int>
  /// What must be there.
  public let expected: Stamp
  /// What was there before the I/O or the store.
  public let previous: Stamp
  /// What else may be there, word by word: stores that raced with the I/O.
  public let alternatives: [Stamp]

  /// An expectation for `range`.
  public init(
    _ region: Damage.Region, _ range: Range<Int>, expected: Stamp, previous: Stamp,
    or alternatives: [Stamp] = []
  ) {
    self.region = region
    self.range = range
    self.expected = expected
    self.previous = previous
    self.alternatives = alternatives
  }
}

/// Compares memory with what it must hold and names the difference.
public struct Verifier: Sendable {
  let pattern: Pattern

  /// A verifier of buffers written with `pattern`.
  public init(_ pattern: Pattern) { self.pattern = pattern }

  /// All damage in `buffer`, one entry a contiguous run of one kind, in the order of offsets.
  /// - Parameter page: the number of the page that the buffer is about.
  public func damage(
    in buffer: UnsafeRawPointer, _ expectations: [Expectation], look: Damage.Look = .first, page: Int = 0
  ) -> [Damage] {
    ck_compiler_barrier(buffer)
    var damages: [Damage] = []
    for want in expectations where !isIntact(buffer, want) { damages += runs(in: buffer, want, look, page) }
    return damages
  }

  /// Whether all is as it must be: the quick look that nearly all memory gets.
  func isIntact(_ buffer: UnsafeRawPointer, _ want: Expectation) -> Bool {
    ck_compiler_barrier(buffer)
    return pattern.words(want.expected).areIn(buffer, want.range)
  }

  /// The kinds of damage in `buffer`, without the bytes.
  func kinds(in buffer: UnsafeRawPointer, _ expectations: [Expectation]) -> Set<Damage.Kind> {
    var kinds: Set<Damage.Kind> = []
    for want in expectations where !isIntact(buffer, want) {
      let (expected, previous) = (pattern.words(want.expected), pattern.words(want.previous))
      // Nearly all damage is that nothing came: one kind, and no need to ask for each word which.
      if want.alternatives.isEmpty, want.expected != want.previous, previous.areIn(buffer, want.range) {
        let first = want.range.lowerBound
        kinds.insert(kind(of: previous[first], at: first, want))
        continue
      }
      var isPrevious = false
      for offset in stride(from: want.range.lowerBound, to: want.range.upperBound, by: 8) {
        let found = buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        if found == expected[offset] || isPrevious && found == previous[offset] { continue }
        if isRight(found, at: offset, want) { continue }
        isPrevious = isPrevious || found == previous[offset]
        kinds.insert(kind(of: found, at: offset, want))
      }
    }
    return kinds
  }

  private func isRight(_ found: UInt64, at offset: Int, _ want: Expectation) -> Bool {
    if found == pattern.word(want.expected, at: offset) { return true }
    let others = want.alternatives.map { pattern.word($0, at: offset) }
    // Who copies a word to the disk while it is stored to may take bytes of several stores.
    return others.contains(found)
      || want.region == .disk && !others.isEmpty
        && isMadeOf([pattern.word(want.expected, at: offset)] + others, found)
  }

  /// Whether each byte of `found` is that of some word.
  private func isMadeOf(_ words: [UInt64], _ found: UInt64) -> Bool {
    (0..<8).allSatisfy { byte in words.contains { ($0 ^ found) >> (8 * byte) & 0xff == 0 } }
  }

  private struct BadWord {
    var offset: Int
    var expected: UInt64
    var found: UInt64
    var kind: Damage.Kind
  }

  private func runs(
    in buffer: UnsafeRawPointer, _ want: Expectation, _ look: Damage.Look, _ page: Int
  ) -> [Damage] {
    var damages: [Damage] = []
    var run: [BadWord] = []
    func close() {
      if !run.isEmpty { damages.append(describe(run, in: buffer, want, look, page)) }
      run.removeAll(keepingCapacity: true)
    }
    for offset in stride(from: want.range.lowerBound, to: want.range.upperBound, by: 8) {
      let expected = pattern.word(want.expected, at: offset)
      let found = buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      if isRight(found, at: offset, want) {
        close()
        continue
      }
      let kind = kind(of: found, at: offset, want)
      if let last = run.last, last.kind != kind { close() }
      run.append(BadWord(offset: offset, expected: expected, found: found, kind: kind))
    }
    close()
    return damages
  }

  private func kind(of found: UInt64, at offset: Int, _ want: Expectation) -> Damage.Kind {
    let previous = pattern.word(want.previous, at: offset)
    if found == previous {
      switch want.region {
      case .disk: return want.expected.origin == .store ? .lostStore : .lostOnDisk
      case .cache: return .stale
      case .reader: return .torn  // beside words of the other: a whole sector of either is right
      case .store: return .lostStore
      case .io, .second, .untouched: return .lostRead
      case .child: return .leakedToChild
      case .twin: return .leakedElsewhere
      }
    }
    if found == 0 { return .zeroed }
    if let (stamp, _) = pattern.decode(found) {
      if stamp.origin == .store, want.region == .store, stamp.generation == want.expected.generation {
        return .lostStore  // an earlier store of this trial: the last one is gone
      }
      let old = [want.expected, want.previous].contains {
        stamp.origin == $0.origin && stamp.generation != $0.generation
      }
      return old ? .stale : .foreign
    }
    return isMixture(found, pattern.word(want.expected, at: offset), previous) ? .torn : .foreign
  }

  /// Whether each byte is one word's or the other's, and both have some of their own.
  private func isMixture(_ found: UInt64, _ one: UInt64, _ other: UInt64) -> Bool {
    var ofOne = false
    var ofOther = false
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      let byte = UInt8(truncatingIfNeeded: found >> shift)
      let inOne = byte == UInt8(truncatingIfNeeded: one >> shift)
      let inOther = byte == UInt8(truncatingIfNeeded: other >> shift)
      if !inOne && !inOther { return false }
      if inOne && !inOther { ofOne = true }
      if inOther && !inOne { ofOther = true }
    }
    return ofOne && ofOther
  }

  private func describe(
    _ run: [BadWord], in buffer: UnsafeRawPointer, _ want: Expectation, _ look: Damage.Look, _ page: Int
  ) -> Damage {
    let (first, last) = (run[0], run[run.count - 1])
    // The machine is little-endian (x86-64, arm64): the lowest differing byte comes first in memory.
    let start = first.offset + (first.expected ^ first.found).trailingZeroBitCount / 8
    let end = last.offset + 8 - (last.expected ^ last.found).leadingZeroBitCount / 8
    let shown = min(16, end - start)
    var expected: [UInt8] = []
    for offset in start..<start + shown {
      let word = pattern.word(want.expected, at: offset / 8 * 8)
      expected.append(UInt8(truncatingIfNeeded: word >> UInt64(offset % 8 * 8)))
    }
    let found = (start..<start + shown).map { buffer.load(fromByteOffset: $0, as: UInt8.self) }
    return Damage(
      kind: first.kind, region: want.region, look: look, page: page, offset: start,
      length: end - start,
      expected: Hex.bytes(expected), found: Hex.bytes(found), provenance: provenance(of: first))
  }

  private func provenance(of word: BadWord) -> String {
    if word.found == 0 { return "zeros" }
    if let (stamp, offset) = pattern.decode(word.found) {
      let place = stamp.origin == .store ? "store" : "block"
      return "\(stamp.origin) of generation \(stamp.generation), \(place) \(stamp.block), byte \(offset)"
    }
    let bits = (word.expected ^ word.found).nonzeroBitCount
    return bits <= 8 ? "differs in \(bits) bit\(bits == 1 ? "" : "s")" : "nobody's in this run"
  }
}

/// Hexadecimal text without Foundation.
enum Hex {
  static func bytes(_ bytes: [UInt8]) -> String {
    bytes.map { pad(String($0, radix: 16), 2) }.joined(separator: " ")
  }

  static func number(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  private static func pad(_ text: String, _ width: Int) -> String {
    String(repeating: "0", count: max(0, width - text.count)) + text
  }
}
