import CKernel
import Glibc
import SystemPackage

/// How a path takes the pages of direct I/O, seen without any hazard: whether `nr_foll_pin_acquired` in
/// /proc/vmstat (mm/gup.c, FOLL_PIN) grows by the pages of a read.
///
/// Fork copies pinned pages for the child at once, and merely referenced ones not: a path that only takes
/// references loses data under fork.
struct PinProbe {
  /// What was seen.
  enum Finding: Equatable {
    /// All pages of the reads were pinned, and let go afterwards.
    case pinned
    /// None was.
    case referenced
    /// Pins were taken and not given back: how many.
    case leaked(Int)
    /// Why nothing can be said.
    case unknown(String)

    var text: String {
      switch self {
      case .pinned: "pinned (fork copies them for the child at once)"
      case .referenced: "merely referenced (fork can lose data here)"
      case .leaked(let count): "pinned, and \(count) pins not given back: a leak, or others pinned meanwhile"
      case .unknown(let why): "unknown: \(why)"
      }
    }
  }

  private static let pages = 32
  private static let reads = 32

  /// Reads from `target`, a segment a page, and looks at the counters.
  static func probe(_ target: any Target) -> Finding {
    do {
      let memory = try AnonMemory(pieces: pages, pieceLength: kernelPageSize)
      try memory.renew()
      let io = try IOThread(.pread, depth: pages, makeEngine: EngineKind.pread.make) {
        () throws(KernelError) in try target.openOnIOThread()
      }
      defer { io.stop() }
      let length = target.alignment < kernelPageSize ? kernelPageSize - target.alignment : kernelPageSize
      let place = target.place(trial: 0, length: length * pages, .read)
      let transfer = Transfer(
        direction: .read, descriptor: target.descriptor,
        segments: (0..<pages).map { Segment(memory: memory.base + $0 * kernelPageSize, length: length) },
        offset: place.offset)
      let before = try counters()
      for _ in 0..<reads {
        io.start(transfer, Timeline())
        guard let done = io.finish(timeout: Clock.seconds(10)) else {
          return .unknown("a read did not return")
        }
        try done.requireAll(of: transfer)
      }
      return finding(before, try counters(), expected: pages * reads)
    } catch {
      return .unknown("\(error)")
    }
  }

  /// What the counters before and after say, given that so many pages were read. Others may pin pages at the
  /// same time, so that a few more than none are none.
  static func finding(_ before: Counters, _ after: Counters, expected: Int) -> Finding {
    let acquired = after.acquired - before.acquired
    let released = after.released - before.released
    if acquired < expected / 2 { return .referenced }
    let kept = acquired - released
    return kept > expected / 4 ? .leaked(kept) : .pinned
  }

  /// Pages pinned and let go since boot.
  struct Counters: Equatable {
    var acquired: Int
    var released: Int
  }

  /// Reads both, after what each CPU counted is added up (/proc/sys/vm/stat_refresh, root only).
  static func counters() throws(KernelError) -> Counters {
    _ = try KernelFile.read("/proc/sys/vm/stat_refresh")
    var found = Counters(acquired: -1, released: -1)
    for line in try KernelFile.read("/proc/vmstat").split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2, let value = Int(words[1]) else { continue }
      if words[0] == "nr_foll_pin_acquired" { found.acquired = value }
      if words[0] == "nr_foll_pin_released" { found.released = value }
    }
    if found.acquired < 0 || found.released < 0 {
      throw KernelError("read nr_foll_pin_acquired in /proc/vmstat (Linux 5.8)", .noSuchFileOrDirectory)
    }
    return found
  }
}
