import Glibc
import Repro

/// Who did what when in one trial, in the coordinates of an SVG: a column an agent, time down, the hold as a
/// bar, the page's frames at the right.
struct TimelineDrawing {
  var width: Int
  var height: Int
  var title: String
  var columns: [Column]
  var marks: [MarkView]
  var hold: [Bar]
  var frames: [Frame]

  struct Column {
    var columnX: Int
    var agent: String
    var bottom: Int
  }

  struct MarkView {
    var markX: Int
    var markY: Int
    var time: String
    var lines: [Line]
    var timeY: Int
  }

  struct Line {
    var lineX: Int
    var lineY: Int
    var words: String
  }

  struct Bar {
    var barX: Int
    var barY: Int
    var barHeight: Int
  }

  struct Frame {
    var frameX: Int
    var frameY: Int
    var frameHeight: Int
    var textX: Int
    var textY: Int
    var frameName: String
    var which: String
  }

  private static let (left, top, columnWidth, lineHeight) = (90, 44, 210, 15)
  private static let (textWidth, frameWidth) = (26, 180)

  init(_ trial: TrialRecord) {
    var agents: [String] = []
    for mark in trial.timeline where !agents.contains(mark.agent) { agents.append(mark.agent) }
    let hasFrames = trial.frameBefore != nil && trial.frameAfter != nil
    var places: [Int] = []
    var y = Self.top
    var last: Int64?
    var marks: [MarkView] = []
    for mark in trial.timeline {
      // Gaps grow with the logarithm of time: a hold of milliseconds and a store of nanoseconds both show.
      let gap = max(0, Double(mark.at - (last ?? mark.at)) / 1000)
      y += Int(min(48, 12 * log10(1 + gap)))
      last = mark.at
      let x = Self.left + (agents.firstIndex(of: mark.agent) ?? 0) * Self.columnWidth
      let lines = mark.what.wrapped(to: Self.textWidth).enumerated().map { index, words in
        Line(lineX: x + 14, lineY: y + 4 + index * Self.lineHeight, words: words)
      }
      places.append(y)
      marks.append(
        MarkView(
          markX: x, markY: y, time: (Double(mark.at) / 1000).fixed(1), lines: lines, timeY: y + 4))
      y += max(1, lines.count) * Self.lineHeight + 8
    }
    let bottom = y
    self.marks = marks
    columns = agents.enumerated().map { index, agent in
      Column(columnX: Self.left + index * Self.columnWidth, agent: agent, bottom: bottom)
    }
    width = Self.left + agents.count * Self.columnWidth + (hasFrames ? Self.frameWidth : 0)
    height = bottom + 8
    title = "Timeline of \(trial.case), trial \(trial.trial)"
    hold = Self.hold(trial.timeline, agents, places, bottom)
    frames =
      hasFrames
      ? Self.frames(trial, places, bottom, x: Self.left + agents.count * Self.columnWidth) : []
  }

  /// From when the target holds the I/O until it lets go.
  private static func hold(
    _ timeline: [Mark], _ agents: [String], _ places: [Int], _ bottom: Int
  ) -> [Bar] {
    guard let from = timeline.firstIndex(where: { $0.agent == "target" && $0.what.hasSuffix("held") }),
      let column = agents.firstIndex(of: "target")
    else { return [] }
    let to = timeline.indices.last { $0 > from && timeline[$0].agent == "target" }
    let end = to.map { places[$0] } ?? bottom
    return [Bar(barX: left + column * columnWidth - 5, barY: places[from], barHeight: end - places[from])]
  }

  /// The frame seen while the I/O was in flight, before the hazard, and that seen right after the I/O. What
  /// is between them was not looked at.
  private static func frames(_ trial: TrialRecord, _ places: [Int], _ bottom: Int, x: Int) -> [Frame] {
    guard let before = trial.frameBefore, let after = trial.frameAfter, !places.isEmpty else { return [] }
    let timeline = trial.timeline
    let hazard = timeline.firstIndex { $0.agent == "hazard" } ?? 0
    let arrived = timeline.firstIndex { $0.agent == "target" } ?? 0
    let start = places[min(arrived, hazard)]
    let end = max(places[hazard], start + 34)
    let done = max(min(places[places.count - 1], bottom - 34), end + 10)
    // Where one frame's box ends says no more than that it was seen until then.
    func frame(_ name: String, _ from: Int, _ to: Int, _ which: String) -> Frame {
      Frame(
        frameX: x, frameY: from, frameHeight: to - from, textX: x + 8, textY: from + 20,
        frameName: name, which: which)
    }
    return [
      frame("before 0x" + String(before, radix: 16), start, end, "before"),
      frame(
        "after 0x" + String(after, radix: 16), done, max(bottom, done + 30),
        before == after ? "same" : "after"),
    ]
  }
}
