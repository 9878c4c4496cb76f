import Repro

/// All that is known of a case on one kernel.
struct CellDetail {
  var id: String
  /// The line of the matrix that it belongs to.
  var row: Int
  var caseName: String
  var kernel: String
  var cellVerdict: VerdictView
  var isLoss: Bool
  var isOpen = false
  var cellReason: String?
  var facts: [Fact]
  var evidence: [PageModel.Bar]
  var hasEvidence: Bool
  var losses: [LossView]
  var moreLosses: String?
  var bugIDs: [String]
  var hasBugIDs: Bool

  struct Fact {
    var what: String
    var value: String
  }

  init(
    _ result: CaseResult, _ losses: [TrialRecord], on run: RunSummary, label: String, id: String, row: Int
  ) {
    let count = result.count
    self.id = id
    self.row = row
    caseName = "\(result.case)"
    kernel = label
    cellVerdict = VerdictView(result.verdict)
    isLoss = result.verdict == .corrupt
    cellReason = result.reason
    func percent(_ rate: Double?) -> String? { rate.map { "below \(($0 * 100).fixed(2)) %" } }
    let judgement = Judgement(result, on: run.version)
    facts =
      [
        ("compared with the catalogue", judgement.rawValue),
        ("trials", "\(count.trials)"), ("exposures", "\(count.exposures)"), ("losses", "\(count.losses)"),
        ("entered under the hazard", count.entering > 0 ? "\(count.entering)" : nil),
        ("rate of loss", percent(result.upperBound)), ("depth", result.depth > 1 ? "\(result.depth)" : nil),
        ("target", result.opened), ("path", result.path?.rawValue), ("last hazard", count.evidence),
        ("seconds", count.seconds.fixed(2)),
      ].compactMap { what, value in value.map { Fact(what: what, value: $0) } }
    evidence = PageModel.Bar.bars(count.guards)
    hasEvidence = !evidence.isEmpty
    self.losses = losses.map(LossView.init)
    let rest = count.lostTrials - self.losses.count
    moreLosses = rest > 0 ? "\(rest) more trials lost data; the JSON lines have each." : nil
    bugIDs = result.bugs
    hasBugIDs = !bugIDs.isEmpty
  }
}

/// A trial that lost data.
struct LossView {
  var trial: Int
  var place: String
  var unexplained: Bool
  var damages: [DamageView]
  var hazards: [String]
  var withoutIO: String?
  var drawing: TimelineDrawing?
  /// The same for those who would rather read.
  var asText: String

  init(_ record: TrialRecord) {
    trial = record.trial
    place =
      "\(record.length) bytes at offset \(record.offset)"
      + (record.depth > 1 ? ", \(record.lost.count) of \(record.depth) pages lost" : "")
    unexplained = !record.isExplained
    damages = record.damage.filter { $0.page == record.lost.first }.map(DamageView.init)
    hazards = record.hazards.map(\.text)
    withoutIO = record.withoutIO?.text
    drawing = record.timeline.isEmpty ? nil : TimelineDrawing(record)
    asText = LossReport(trial: record).lines.joined(separator: "\n")
  }
}

/// Bytes as they must be and as they are, one above the other.
struct DamageView {
  var damage: String
  var expectedBytes: [Byte]
  var foundBytes: [Byte]
  var origin: String
  var provenance: String

  struct Byte {
    var hex: String
    var isWrong: Bool
  }

  init(_ damage: Damage) {
    self.damage =
      "\(damage.kind.rawValue): \(damage.length) bytes from byte \(damage.offset), region "
      + "\(damage.region.rawValue), \(damage.look.rawValue) look"
    let expected = damage.expected.split(separator: " ").map(String.init)
    let found = damage.found.split(separator: " ").map(String.init)
    func bytes(_ some: [String], _ others: [String]) -> [Byte] {
      some.enumerated().map { index, hex in
        Byte(hex: hex, isWrong: index >= others.count || others[index] != hex)
      }
    }
    expectedBytes = bytes(expected, found)
    foundBytes = bytes(found, expected)
    provenance = damage.provenance
    let word = damage.provenance.split(separator: " ").first.map(String.init) ?? ""
    origin = ["file", "fill", "store", "zeros"].contains(word) ? word : "other"
  }
}

/// A record of the catalogue, with where to read on.
struct BugView {
  var bugID: String
  var bugSummary: String
  var mustHappen: String
  var paths: String
  var bad: String
  var fixed: String
  var fixes: [Link]
  var hasFixes: Bool
  var cves: [Link]
  var hasCVEs: Bool
  var bugNote: String?

  struct Link {
    var text: String
    var url: String
  }

  init(_ bug: Bug) {
    bugID = bug.id
    bugSummary = bug.summary
    mustHappen = bug.hazard
    paths = bug.paths.joined(separator: ", ")
    bad = bug.bad.description
    fixed = bug.fixed == .never ? "not yet" : bug.fixed.description
    fixes = bug.fix.map { Link(text: "\($0.hash) \($0.title)", url: $0.url) }
    hasFixes = !fixes.isEmpty
    cves = bug.cve.map { Link(text: $0, url: "https://www.cve.org/CVERecord?id=\($0)") }
    hasCVEs = !cves.isEmpty
    bugNote = bug.note
  }
}
