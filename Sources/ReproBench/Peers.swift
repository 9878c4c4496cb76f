import Foundation
import Repro
import ReproLab
import Synchronization

/// The recipe of 2008 by hand, in C, and ours: the same kernel, one after the other.
enum Peers {
  static let here = Subject(
    "peer",
    "fixtures/peers/fork-dio.c (one thread reads, one forks, one stores; nothing is steered) on a file in "
      + "/var/tmp, beside `repro run fork --schedule race --engine pread`; the C program can't tell which reads "
      + "a hazard overlapped, so that only its losses compare with ours."
  ) { smoke in
    let seconds = smoke ? 1 : 5
    let scratch = try Scratch(in: "/var/tmp")
    try await Program.compiled("fork-dio", [], to: scratch("peer"))
    let end = try await Program.run([scratch("peer"), scratch("file"), "\(seconds)"])
    let peer = try Told(end.output)
    var rows: [Row] = []
    for depth in [1, 32] {
      let ours = try await ours(depth, seconds, ["run", "--memory", "anon"])
      rows.append(row("this kernel", depth, ours, peer))
    }
    return rows
  }

  static let guest = Subject(
    "peer-guest",
    "the same in guests of Debian's 6.1: the C program linked statically, on a virtio disk that nothing throttles, "
      + "beside `repro vm --kernel 6.1 fork --schedule race --engine pread --depth N`."
  ) { smoke in
    let seconds = smoke ? 1 : 10
    let scratch = try Scratch()
    try await Program.compiled("fork-dio", ["-static", "-s", "-DGUEST"], to: scratch("peer"))
    guard let program = FileManager.default.contents(atPath: scratch("peer")),
      let architecture = Architecture.named("x86-64")
    else { throw BenchError("\(scratch("peer")): cannot be read") }
    let run = GuestRun(
      kernel: try await KernelSource(parsing: "6.1").resolve(), programs: [[UInt8](program)],
      arguments: "/dev/vdb \(seconds)", for: architecture)
    let lines = Mutex<[String]>([])
    let report = try await run.run { line in lines.withLock { $0.append(line) } }
    guard case .finished = report.ending else { throw BenchError("the peer's guest: \(report.ending)") }
    let peer = try Told(lines.withLock { $0 }.joined(separator: "\n"))
    var rows: [Row] = []
    for depth in [1, 32] {
      let ours = try await ours(depth, seconds, ["vm", "--kernel", "6.1", "--memory", "anon"])
      rows.append(row("6.1 guest", depth, ours, peer))
    }
    return rows
  }

  private static func ours(_ depth: Int, _ seconds: Int, _ command: [String]) async throws -> CaseCount {
    let results = try await Program.results(
      command + [
        "fork", "--schedule", "race", "--engine", "pread", "--depth", "\(depth)", "--time", "\(seconds)",
      ])
    return results[0].count
  }

  private static func row(_ place: String, _ depth: Int, _ ours: CaseCount, _ peer: Told) -> Row {
    let rate = Double(ours.losses) / ours.seconds
    let exposed = Double(ours.exposures) / ours.seconds
    return Row(
      what: "fork race, \(place), depth \(depth)",
      figure: "\(rate.fixed(1)) lost reads/s (\(exposed.fixed(0)) exposed/s)",
      beside:
        "C: \(peer.perSecond(peer.lost).fixed(1)) lost reads/s (\(peer.perSecond(peer.reads).fixed(0)) reads/s, "
        + "\(peer.perSecond(peer.forks).fixed(0)) forks/s)",
      ratio: peer.lost > 0 ? "\((rate / peer.perSecond(peer.lost)).fixed(1)) x" : "")
  }

  /// What the C program said: `{"event":"peer","reads":N,"lost":N,"forks":N,"seconds":S}` on a line.
  private struct Told: Decodable {
    var reads: Int
    var lost: Int
    var forks: Int
    var seconds: Double

    init(_ output: String) throws {
      guard let line = output.split(separator: "\n").first(where: { $0.contains("\"event\":\"peer\"") })
      else {
        throw BenchError("the C program told nothing: \(output.prefix(200))")
      }
      self = try JSONDecoder().decode(Told.self, from: Data(line.utf8))
    }

    func perSecond(_ count: Int) -> Double { Double(count) / seconds }
  }
}
