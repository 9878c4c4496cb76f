import TestHost
import Testing

@testable import Repro

/// Reads of all lengths, in one segment and in several.
@Suite("Shapes", .serialized, .exclusive, .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
struct ShapeTests {
  private static let shapes = [
    Shape(bytes: 512), Shape(bytes: 3584), Shape(bytes: 4096), Shape(parts: 7), Shape(bytes: 12800, parts: 5),
    Shape(bytes: 512 << 10), Shape(bytes: 512 << 10, parts: 16),
  ]

  @Test("cover the end of the piece but its tail, for each shape")
  func layout() {
    for bytes in [512, 1024, 3584, 4096, 65536, Shape.longest] {
      let length = Shape(bytes: bytes).pieceLength(alignment: 512)
      let layout = Layout(
        .read, length: length, pageSize: kernelPageSize, alignment: 512, touchLength: 64, ioLength: bytes)
      #expect(length % kernelPageSize == 0 && layout.io.count == bytes)
      #expect(layout.io.upperBound == length - 512 && layout.lead == 0..<layout.io.lowerBound)
      #expect(layout.lead.count < kernelPageSize, "no page before the I/O")
    }
  }

  @Test("are cut into parts that leave nothing out")
  func cut() throws {
    let range = try AddressRange(length: 16 * kernelPageSize)
    for (bytes, parts) in [(512, 3), (3584, 7), (12800, 5), (65536, 16)] {
      let cut = Shape(bytes: bytes, parts: parts).cut(Segment(memory: range.base, length: bytes), unit: 512)
      #expect(cut.count == (bytes / 512 >= parts ? parts : 1))
      #expect(cut.reduce(0) { $0 + $1.length } == bytes && cut.allSatisfy { $0.length % 512 == 0 })
      var end = range.base
      for segment in cut {
        #expect(segment.memory == end)
        end = segment.memory + segment.length
      }
    }
  }

  /// Both controls, with every engine: silent where nothing is done, firing where a page is replaced.
  @Test("are seen whole, and their losses too", arguments: shapes.indices)
  func controls(_ index: Int) throws {
    let shape = Self.shapes[index]
    for engine in EngineKind.all {
      var plan = Plan(Selection(scenarios: ["control-none"]), seed: Seed(7))
      plan.selection.engines = [engine]
      plan.selection.memories = [.anon]
      plan.selection.targets = [TargetSpec(.held)]
      plan.selection.schedules = [.staged]
      plan.shape = shape
      plan.trials = 3
      let observer = RecordingObserver()
      _ = try Campaign(plan, hostState: nil, observer: observer).run(.default)
      let control = try #require(observer.controls.first)
      if control.reason?.contains("kernel") == true { continue }
      #expect(control.isSound, "\(engine.name), \(shape): \(control.reason ?? "")")
      #expect(observer.results.map(\.verdict) == [.clean], "\(engine.name), \(shape): \(observer.results)")
      #expect(
        observer.trials.allSatisfy { $0.length == shape.bytes ?? 3584 }, "\(engine.name), \(shape)")
    }
  }

  @Test("longer than one request that is held say so, and race")
  func tooLong() throws {
    var plan = Plan(Selection(scenarios: ["control-none"]), seed: Seed(7))
    plan.selection.engines = [.pread]
    plan.selection.memories = [.anon]
    plan.selection.targets = [TargetSpec(.held), TargetSpec(.scratch, path: "/var/tmp")]
    plan.selection.schedules = [.staged, .race]
    plan.shape = Shape(bytes: Shape.longest)
    plan.trials = 3
    let observer = RecordingObserver()
    _ = try Campaign(plan, hostState: nil, observer: observer).run(.default)
    #expect(observer.results.count == 3)
    for result in observer.results where result.case.schedule == .staged {
      #expect(result.verdict == .skipped && result.reason?.contains("fewer --bytes") == true)
    }
    let race = try #require(observer.results.first { $0.case.schedule == .race })
    #expect(race.verdict != .error && race.count.trials == 3 && race.count.losses == 0, "\(race)")
    #expect(observer.controls.contains { $0.schedule == .race && $0.isSound })
  }
}
