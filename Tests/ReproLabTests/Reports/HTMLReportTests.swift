import Foundation
import Testing

@testable import Repro
@testable import ReproLab

@Suite("HTML")
struct HTMLReportTests {
  private static func page(_ runs: [Event]...) -> String { HTMLPage(runs).lines.joined(separator: "\n") }

  private static let sample = page(SampleRun.events)

  /// Two kernels; on the second a case is an error, and one has no result.
  private static let two: String = {
    let gone = SampleRun.name("ksm", "pread")
    var second = ResultStoreTests.run("6.12.1", seed: 2, ["soft-dirty.libaio.staged": .error])
    second.removeAll { if case .result(let result) = $0 { result.case == gone } else { false } }
    return page(SampleRun.events, second)
  }()

  // MARK: Text

  @Test("text is text, whatever it holds")
  func escaped() {
    var events = SampleRun.events
    events[1] = .note(Note("<script>alert(1)</script> & \"x\""))
    let page = Self.page(events)
    #expect(!page.contains("<script>alert"))
    #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;x&quot;"))
  }

  @Test("it is one file: nothing is loaded from elsewhere")
  func selfContained() {
    for mark in [" src=", "@import", "url(", "<link rel=\"stylesheet\"", "fetch("] {
      #expect(!Self.sample.contains(mark), "\(mark)")
    }
  }

  @Test("a run that never began is a page that says so")
  func broken() {
    let page = DocumentReport { HTMLPage($0).lines }.broken("no <FUSE>").joined(separator: "\n")
    #expect(page.contains("! error") && page.contains("no &lt;FUSE&gt;"))
  }

  @Test("of many losses of a case the first are drawn, and the others counted")
  func manyLosses() {
    var result = SampleRun.results[2]
    (result.count.trials, result.count.lostTrials) = (90, 80)
    let losses = (0..<80).map { _ in Event.trial(SampleRun.loss) }
    let end = Event.end(RunEnd(verdict: .corrupt, seconds: 1))
    let page = Self.page([.run(SampleRun.start)] + losses + [.result(result), end])
    #expect(page.split(separator: "<svg").count == 1 + DocumentReport.lossesKept)
    #expect(page.contains("60 more trials lost data"))
  }

  // MARK: Drawing

  @Test("the hold is a bar from the arrival to the answer, and frames stand where they were seen")
  func drawing() throws {
    var trial = SampleRun.loss
    trial.timeline.insert(Mark(at: 1_050_000, agent: "target", what: "answers read of 3584 bytes"), at: 4)
    let drawing = TimelineDrawing(trial)
    #expect(drawing.columns.map(\.agent) == ["I/O thread", "target", "hazard", "store"])
    let hold = try #require(drawing.hold.first)
    #expect(hold.barY == drawing.marks[1].markY)
    #expect(hold.barY + hold.barHeight == drawing.marks[4].markY)
    #expect(drawing.marks.map(\.markY) == drawing.marks.map(\.markY).sorted(), "time runs down")
    #expect(drawing.frames.map(\.which) == ["before", "after"])
    #expect(drawing.frames[0].frameY == hold.barY)
    #expect(drawing.frames[0].frameY + drawing.frames[0].frameHeight <= drawing.frames[1].frameY)
    #expect(drawing.frames[1].frameY + drawing.frames[1].frameHeight <= drawing.height)
    #expect(drawing.marks.allSatisfy { $0.lines.allSatisfy { $0.lineY < drawing.height } })
    trial.frameAfter = nil
    #expect(TimelineDrawing(trial).frames.isEmpty)
    trial.timeline.removeAll { $0.agent == "target" }
    #expect(TimelineDrawing(trial).hold.isEmpty)
  }

  @Test("bytes that differ are marked, and the writer named")
  func hex() {
    let view = DamageView(SampleRun.loss.damage[1])
    #expect(view.expectedBytes.map(\.isWrong) == [true, true] && view.origin == "file")
    var half = SampleRun.loss.damage[1]
    half.found = "00 03"
    half.provenance = "differs in 1 bit"
    #expect(
      DamageView(half).foundBytes.map(\.isWrong) == [false, true] && DamageView(half).origin == "other")
  }

  // MARK: Browser

  private struct Counts: Decodable, Equatable {
    var corrupt = 0
    var clean = 0
    var inconclusive = 0
    var skipped = 0
    var error = 0
  }

  private static let count = """
    const count = (word) => document.querySelectorAll(`#heat a.cell.${word}`).length;
    return Object.fromEntries(["corrupt", "clean", "inconclusive", "skipped", "error"].map((w) => [w, count(w)]));
    """

  private static let counts: Counts = {
    func count(_ verdict: Verdict) -> Int { SampleRun.results.count { $0.verdict == verdict } }
    return Counts(
      corrupt: count(.corrupt), clean: count(.clean), inconclusive: count(.inconclusive),
      skipped: count(.skipped), error: count(.error))
  }()

  @Test("a browser counts the cells as we do", .withChromium)
  func cells() throws {
    #expect(try Chromium.ask(Self.sample, Self.count) == Self.counts)
    var both = Self.counts
    // Of the second kernel one clean case is an error, and one has no result: an error as well.
    both.corrupt *= 2
    both.clean = both.clean * 2 - 2
    both.inconclusive *= 2
    both.skipped *= 2
    both.error = both.error * 2 + 2
    #expect(try Chromium.ask(Self.two, Self.count) == both)
  }

  @Test("a planted mismatch is seen", .withChromium)
  func planted() throws {
    let planted = Self.sample.replacing(
      "class=\"cell corrupt", with: "class=\"cell clean", maxReplacements: 1)
    try #require(planted != Self.sample)
    #expect(try Chromium.ask(planted, Self.count) != Self.counts)
  }

  private struct Health: Decodable, Equatable {
    var errors: [String]
    var resources: Int
    var doubled: [String]
    var dangling: [String]
    var unlabelled: Int
  }

  @Test("no errors, nothing loaded, ids are unique and links lead somewhere", .withChromium)
  func health() throws {
    let health: Health = try Chromium.ask(
      Self.two,
      """
      const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
      const inner = [...document.querySelectorAll('a[href^="#"]')].map((one) => one.hash.slice(1));
      return {
        errors: window.errors, resources: performance.getEntriesByType("resource").length,
        doubled: ids.filter((id, at) => ids.indexOf(id) !== at),
        dangling: inner.filter((id) => !document.getElementById(id)),
        unlabelled: [...document.querySelectorAll("input, select")].filter((one) => !one.labels.length).length
          + document.querySelectorAll("svg:not([aria-label])").length,
      };
      """)
    #expect(health == Health(errors: [], resources: 0, doubled: [], dangling: [], unlabelled: 0))
  }

  private struct Filtered: Decodable, Equatable {
    var fork: [String]
    var find: Int
    var corrupt: Int
    var differs: [String]
    var cases: Int
    var said: String
    var all: Int
  }

  @Test("filters hide what they should, and say how much is left", .withChromium)
  func filters() throws {
    let filtered: Filtered = try Chromium.ask(
      Self.two,
      """
      const form = document.getElementById("filters");
      const rows = () => [...document.querySelectorAll("#heat tbody tr:not([hidden]) th")].map((o) => o.textContent);
      const set = (name, value) => {
        const one = form.elements[name];
        if (one.type === "checkbox") one.checked = value; else one.value = value;
        one.dispatchEvent(new Event("input", { bubbles: true }));
      };
      const answer = {};
      set("scenario", "fork");
      answer.fork = rows();
      answer.cases = document.querySelectorAll("details.case:not([hidden])").length;
      answer.said = document.getElementById("shown").textContent;
      set("scenario", "");
      set("find", "KSM.p");
      answer.find = rows().length;
      set("find", "");
      set("verdicts", "corrupt");
      answer.corrupt = rows().length;
      set("verdicts", "");
      set("differs", true);
      answer.differs = rows();
      form.querySelector("button").click();
      await turn();
      answer.all = rows().length;
      return answer;
      """)
    #expect(
      filtered
        == Filtered(
          fork: ["fork.pread.staged", "fork.libaio.staged"], find: 1, corrupt: 2,
          differs: ["soft-dirty.libaio.staged", "ksm.pread.staged"], cases: 4, said: "2 of 12 cases", all: 12)
    )
  }

  private struct Keys: Decodable, Equatable {
    var tabStops: Int
    var moved: String
    var stayed: String
    var opened: Bool
    var focused: String
    var search: String
  }

  @Test("keys move between cells, a cell opens its case, / goes to the search", .withChromium)
  func keyboard() throws {
    let keys: Keys = try Chromium.ask(
      Self.two,
      """
      const answer = {};
      const name = () => document.activeElement.getAttribute("aria-label").split(":")[0];
      answer.tabStops = [...document.querySelectorAll("a.cell")].filter((one) => one.tabIndex === 0).length;
      document.querySelector("a.cell").focus();
      key("ArrowUp"); key("ArrowLeft");
      answer.stayed = name();
      key("ArrowDown"); key("ArrowDown"); key("ArrowRight");
      answer.moved = name();
      const id = document.activeElement.hash.slice(1);
      document.activeElement.click();
      for (let turns = 0; turns < 2000 && document.activeElement.tagName !== "SUMMARY"; turns += 1) await turn();
      await turn();
      answer.opened = document.getElementById(id).open;
      answer.focused = document.activeElement.textContent.trim().replace(/\\s+/g, " ");
      key("/");
      answer.search = document.activeElement.name;
      return answer;
      """)
    #expect(keys.tabStops == 1 && keys.opened && keys.search == "find")
    #expect(keys.stayed == "control-none.pread.staged on 5.10.223")
    #expect(keys.moved == "fork.pread.staged on 6.12.1")
    #expect(keys.focused == "✗ corrupt fork.pread.staged on 6.12.1")
  }
}
