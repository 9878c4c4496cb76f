import Foundation
import Testing

@testable import Repro

@Suite("Bug catalogue")
struct CatalogueTests {
  /// A record that parses, to be spoiled line by line.
  private static let record = """
    id: sample
    hazard: fork
    scenarios: fork
    paths: block
    bad: 5.9
    fixed: 6.4, 5.10.102
    source: here
    confidence: memory
    measured: none
    summary: lost read
    """

  private func expectation(
    _ scenario: String, _ path: IOPath, _ version: KernelVersion, memory: String = "anon",
    role: Scenario.Role = .hazard, in catalogue: Catalogue = .standard
  ) -> Catalogue.Expectation {
    let name = CaseName(
      scenario: scenario, memory: memory, engine: "pread", target: "held", schedule: .staged)
    return catalogue.expectation(name, role: role, path: path, version: version)
  }

  private func sample(replacing line: String = "", with other: String = "") throws -> Repro.Bug {
    let text = line.isEmpty ? Self.record : Self.record.replacingOccurrences(of: line, with: other)
    return try #require(try Catalogue(parsing: text).bugs.first)
  }

  @Test("the standard catalogue parses and every record says what it rests on")
  func standard() {
    let bugs = Catalogue.measured.bugs
    #expect(bugs.count > 20)
    #expect(Set(bugs.map(\.id)).count == bugs.count)
    for bug in bugs {
      #expect(!bug.paths.isEmpty && !bug.confidence.isEmpty, "\(bug.id)")
      #expect(bug.measured.isEmpty != bug.confidence.contains(.measured), "\(bug.id)")
      if case .inRelease = bug.fixed { #expect(!bug.fix.isEmpty, "\(bug.id)") }
    }
  }

  @Test(
    "a backport decides in its series, the mainline release elsewhere",
    arguments: [
      ("5.8.18", false), ("5.9", true), ("5.10.101", true), ("5.10.102", false), ("5.10.223", false),
      ("5.15.200", true), ("6.3.13", true), ("6.4", false), ("6.5", false), ("5.10.0-33-amd64", nil),
      ("5.15.0-91-generic", true), ("6.4.0-4-amd64", false),
    ] as [(String, Bool?)])
  func backportRule(release: String, affected: Bool?) throws {
    let version = try #require(KernelVersion(release: release))
    #expect(try sample().affects(version) == affected)
  }

  @Test("FUSE got its pins later than block devices")
  func splitFix() throws {
    let forkOn = { (path: IOPath, minor: Int) in expectation("fork", path, KernelVersion(6, minor)) }
    #expect(forkOn(.block, 4) != .clean)
    #expect(forkOn(.block, 5) == .clean)
    #expect(forkOn(.btrfs, 5) == .clean, "btrfs goes through the block layer")
    #expect(forkOn(.fuse, 8) != .clean)
    #expect(forkOn(.fuse, 9) == .clean)
    #expect(forkOn(.nfs, 18) != .clean)
  }

  @Test("memory decides, as it was measured")
  func memory() {
    func lost(_ scenario: String, _ memory: String, _ version: KernelVersion) -> Bool {
      if case .corrupt = expectation(scenario, .fuse, version, memory: memory) { true } else { false }
    }
    let (old, long) = (KernelVersion(5, 10, patch: 223), KernelVersion(6, 1, patch: 176))
    #expect(!lost("fork", "thp", old) && lost("fork", "thp", long))
    #expect(!lost("fork", "hugetlb", old) && !lost("fork", "hugetlb", long))
    for memory in ["thp", "hugetlb"] {
      #expect(lost("fork-child-stays", memory, old) && lost("fork-child-stays", memory, long))
      #expect(expectation("fork-child-stays", .fuse, KernelVersion(6, 12), memory: memory) == .clean)
    }
    #expect(expectation("fork", .fuse, old, memory: "memfd") == .unknown)
    #expect(expectation("fork", .pin, old) == .clean, "registered buffers are pinned")
  }

  @Test("a stable release as origin stays in its series")
  func regression() throws {
    let bug = try sample(replacing: "bad: 5.9\nfixed: 6.4, 5.10.102", with: "bad: 6.12.97\nfixed: never")
    #expect(bug.affects(KernelVersion(6, 12, patch: 96)) == false)
    #expect(bug.affects(KernelVersion(6, 12, patch: 97)) == true)
    #expect(bug.affects(KernelVersion(6, 12, patch: nil)) == nil)
    #expect(bug.affects(KernelVersion(6, 18)) == false)
  }

  /// Lost reads of 40 on the held FUSE file, per kernel.
  @Test(
    "expectations on fuse are what was measured there",
    arguments: [
      ("fork", ["5.10.223", "6.1.176"]), ("mprotect", ["5.10.223"]), ("soft-dirty", ["5.10.223"]),
      ("pageout", ["5.10.223"]), ("move_pages", []), ("ksm", []),
    ] as [(String, [String])])
  func expectations(scenario: String, corrupt: [String]) throws {
    for release in ["5.10.223", "6.1.176", "6.12.117", "7.2.12", "6.18"] {
      let version = try #require(KernelVersion(release))
      let expectation = expectation(scenario, .fuse, version)
      if corrupt.contains(release) {
        guard case .corrupt(let bugs) = expectation else {
          Issue.record("\(scenario) on \(release): \(expectation)")
          continue
        }
        #expect(!bugs.isEmpty)
      } else {
        #expect(expectation == .clean, "\(scenario) on \(release)")
      }
    }
  }

  @Test("memory that is like another has its bugs too")
  func likeAnother() throws {
    let version = try #require(KernelVersion("6.1.176"))
    let locked = expectation("fork", .fuse, version, memory: "mlocked")
    #expect(locked == expectation("fork", .fuse, version))
    #expect(locked != .unknown)
    #expect(expectation("fork", .fuse, version, memory: "memfd") == .unknown)
  }

  @Test("controls need no record, unknown scenarios and paths get no promise")
  func controls() {
    let version = KernelVersion(5, 10, patch: 223)
    #expect(expectation("control-remap", .fuse, version, role: .positiveControl) == .corrupt([]))
    #expect(expectation("control-none", .nfs, version, role: .negativeControl) == .clean)
    #expect(expectation("fork-write", .block, version, role: .negativeControl) == .clean)
    #expect(expectation("no-such-scenario", .fuse, version) == .unknown)
    #expect(expectation("fork", .overlay, version) == .unknown)
  }

  @Test("an unknown patch level is unknown only where it matters")
  func unknownPatch() throws {
    let catalogue = try Catalogue(parsing: Self.record)
    let expectation = { (version: KernelVersion) in
      self.expectation("fork", .block, version, in: catalogue)
    }
    #expect(expectation(KernelVersion(5, 10, patch: nil)) == .unknown)
    #expect(expectation(KernelVersion(5, 15, patch: nil)) == .corrupt(catalogue.bugs))
    #expect(expectation(KernelVersion(6, 12, patch: nil)) == .clean)
  }

  @Test("comments, continuations and blank lines")
  func recordJar() throws {
    let text = "# head\n\n\n" + Self.record + "\nnote: one\n# between\n   two\n\n  \n"
    let bug = try #require(try Catalogue(parsing: text).bugs.first)
    #expect(bug.note == "one two")
    #expect(try Catalogue(parsing: "").bugs.isEmpty)
  }

  @Test(
    "a malformed record is refused with its line",
    arguments: [
      ("hazard: fork", "hazard fork", 2), ("hazard: fork", "hazard:", 2), ("hazard: fork", "danger: fork", 2),
      ("id: sample", "  sample", 1), ("bad: 5.9", "bad: five", 5), ("fixed: 6.4", "fixed: 6.4.1", 6),
      ("5.10.102", "5.10", 6), ("5.10.102", "5.10.102, 5.10.103", 6), ("paths: block", "paths: blok", 4),
      ("paths: block", "memory: disk\npaths: block", 4),
      ("confidence: memory", "confidence: hope", 8), ("measured: none", "measured: 6.1 bad", 9),
      ("summary: lost read", "summary: a\nsummary: b", 11), ("source: here\n", "", 1),
      ("source: here", "source: here\nfix: 12ab no hash", 8),
      ("summary: lost read", "summary: lost read\n\n" + record, 12),
    ])
  func malformed(line: String, replacement: String, at number: Int) {
    let text = Self.record.replacingOccurrences(of: line, with: replacement)
    let error = #expect(throws: CatalogueError.self) { try Catalogue(parsing: text) }
    #expect(error?.line == number, "\(error.debugDescription)")
    #expect(error?.remedy.isEmpty == false)
  }

  @Test("the table for users has the measured bugs and no guards")
  func table() throws {
    let lines = Catalogue.measured.affectedTable().split(separator: "\n")
    #expect(lines.first == "| bug | what must happen | path | bad from | fixed in | measured |")
    #expect(lines.contains { $0.contains("`fork-nfs`") && $0.contains("not yet") })
    #expect(lines.contains { $0.contains("`numa-hint`, CVE-2022-48797") })
    #expect(lines.contains { $0.hasSuffix("| corrupt 6.12.107; clean 6.12.117 |") })
    #expect(!lines.contains { $0.contains("`guard-") })
    #expect(Set(lines.map { $0.count { $0 == "|" } }) == [7])
  }

  @Test("the README shows the table as it is")
  func readme() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized
    guard let readme = try? String(contentsOf: root.appending(path: "README.md"), encoding: .utf8),
      let begin = readme.firstRange(of: "<!-- affected:begin -->"),
      let end = readme.firstRange(of: "<!-- affected:end -->")
    else { return }
    let shown = readme[begin.upperBound..<end.lowerBound].trimmingCharacters(in: .whitespacesAndNewlines)
    let current = Catalogue.measured.affectedTable().trimmingCharacters(in: .whitespacesAndNewlines)
    #expect(shown == current, "README.md: put this between the affected markers:\n\n\(current)")
  }
}
