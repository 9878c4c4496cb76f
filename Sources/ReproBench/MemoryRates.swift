import Benchmark
import CKernel
import Foundation
import Repro

/// The verifier beside what memory allows: memcmp, a copy and a sum, word by word.
enum MemoryRates {
  static let subject = Subject(
    "verifier",
    "one range of intact memory through `Verifier.damage`, beside a word-wise copy (its read side), a word-wise "
      + "read and memcmp (bytes of one side); medians, by google/swift-benchmark."
  ) { smoke in
    let sizes = [("hot, 32 KiB", 32 << 10)] + (smoke ? [] : [("beyond the caches, 256 MiB", 256 << 20)])
    return try sizes.map { name, bytes in try row(name, bytes, smoke: smoke) }
  }

  private static func row(_ name: String, _ bytes: Int, smoke: Bool) throws -> Row {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 4096)
    let other = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 4096)
    defer {
      memory.deallocate()
      other.deallocate()
    }
    let pattern = Pattern(seed: 1)
    let stamp = Stamp(.file, generation: 0, block: 0)
    for buffer in [memory, other] { pattern.fill(buffer, 0..<bytes, with: stamp) }
    let verifier = Verifier(pattern)
    let wanted = [Expectation(.io, 0..<bytes, expected: stamp, previous: stamp)]
    var wrong = 0
    let ours = try rate(bytes, smoke) { wrong += verifier.damage(in: memory, wanted).count }
    let copy = try rate(bytes, smoke) { copyWords(from: memory, to: other, bytes) }
    let read = try rate(bytes, smoke) { wrong += sumWords(memory, bytes) == 1 ? 1 : 0 }
    let compare = try rate(bytes, smoke) {
      ck_compiler_barrier(memory)
      wrong += memcmp(memory, other, bytes) == 0 ? 0 : 1
    }
    if wrong > 0 { throw BenchError("memory that nobody changed was found damaged") }
    return Row(
      what: "verifier, \(name)", figure: "\(ours.fixed(1)) GB/s",
      beside: "copy \(copy.fixed(1)), read \(read.fixed(1)), memcmp \(compare.fixed(1)) GB/s",
      ratio: "\((ours / copy).fixed(2)) x copy")
  }

  /// GB/s of what goes through `bytes` bytes.
  private static func rate(_ bytes: Int, _ smoke: Bool, _ body: @escaping () -> Void) throws -> Double {
    // Reading the clock takes no part of it worth mentioning.
    let times = max(1, (4 << 20) / bytes)
    let suite = BenchmarkSuite(name: "memory")
    suite.benchmark("rate") { for _ in 0..<times { body() } }
    var runner = BenchmarkRunner(
      suites: [suite], settings: [Format(.none), Quiet(true), MinTime(seconds: smoke ? 0.001 : 0.5)])
    try runner.run()
    return Double(bytes * times) / (runner.results.first?.measurements.median ?? .nan)
  }

  @inline(never)
  private static func copyWords(
    from source: UnsafeMutableRawPointer, to target: UnsafeMutableRawPointer, _ bytes: Int
  ) {
    ck_compiler_barrier(source)
    var at = 0
    while at < bytes {
      target.storeBytes(
        of: source.load(fromByteOffset: at, as: UInt64.self), toByteOffset: at, as: UInt64.self)
      at &+= 8
    }
    ck_compiler_barrier(target)
  }

  @inline(never)
  private static func sumWords(_ memory: UnsafeMutableRawPointer, _ bytes: Int) -> UInt64 {
    ck_compiler_barrier(memory)
    var sum: UInt64 = 0
    var at = 0
    while at < bytes {
      sum ^= memory.load(fromByteOffset: at, as: UInt64.self)
      at &+= 8
    }
    return sum
  }
}
