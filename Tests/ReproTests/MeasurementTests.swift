import Testing

@testable import Repro

@Suite("Measurements")
struct MeasurementTests {
  private static let record = """
    id: sample
    hazard: fork
    scenarios: fork
    paths: fuse
    bad: always
    fixed: 6.9
    fix: 738adade96b2 pins
    source: here
    confidence: measured
    measured: 5.10.223 corrupt
    summary: lost read
    """
  private static let line = "sample fork.pread.staged 6.1.176 ppc64le 65536 20/20"

  private func contradictions(_ lines: String) throws -> [String] {
    try Catalogue(parsing: Self.record).contradictions(Measurements(parsing: lines))
  }

  @Test("a line reads back")
  func readsBack() throws {
    let measured = try Measurements(parsing: "# head\n\n\(Self.line)\n")
    let one = try #require(measured.all.first)
    #expect("\(one)" == Self.line && one.case.scenario == "fork" && one.lost == 20 && one.pageSize == 65536)
    #expect(try Measurements(parsing: measured.text) == measured)
  }

  @Test(
    "a malformed line is refused with its number",
    arguments: [
      "sample fork.pread.staged 6.1.176 ppc64le 65536",
      "sample fork.pread.staged 6.1.176 ppc64le 65536 21/20",
      "sample fork.pread.staged 6.1.176 ppc64le 65536 0/0", "sample fork 6.1.176 ppc64le 65536 1/2",
      "sample fork.pread.staged new ppc64le 65536 1/2", "sample fork.pread.staged 6.1 ppc64le big 1/2",
    ])
  func malformed(line: String) {
    let error = #expect(throws: CatalogueError.self) { try Measurements(parsing: "\n\(line)") }
    #expect(error?.line == 2 && error?.remedy.contains("run.sh measure") == true)
  }

  @Test("the catalogue takes them as what it knows of kernels, with architecture and page size")
  func observed() throws {
    let catalogue = try Catalogue(parsing: Self.record).with(
      Measurements(
        parsing: """
          \(Self.line)
          sample fork.mlocked.pread.staged 6.1.176 ppc64le 65536 3/3
          sample fork.pread.staged 6.12.117 x86-64 4096 0/20
          sample fork.pread.staged 5.10.223 x86-64 4096 20/20
          """))
    let bug = try #require(catalogue.bugs.first)
    #expect(
      bug.measured.map(\.description) == ["5.10.223 corrupt", "6.1.176 ppc64le corrupt", "6.12.117 clean"])
    #expect(bug.kernels(corrupt: true) == ["5.10.223", "6.1.176 (ppc64le with 64 KiB pages)"])
  }

  @Test("what was measured and the records agree")
  func standard() {
    #expect(Catalogue.standard.contradictions(.standard) == [])
    #expect(Measurements.standard.all.count > 100)
  }

  @Test("a measurement that a record contradicts is seen, and one of no record's case")
  func planted() throws {
    #expect(try contradictions(Self.line) == [])
    let clean = Self.line.replacing("20/20", with: "0/20")
    #expect(try contradictions(clean) == ["sample: measured 6.1.176 ppc64le clean"])
    let fixed = Self.line.replacing("6.1.176", with: "6.12.117")
    #expect(try contradictions(fixed) == ["sample: measured 6.12.117 ppc64le corrupt"])
    #expect(try contradictions(Self.line.replacing("sample", with: "other")).count == 1)
    #expect(try contradictions(Self.line.replacing("fork.", with: "ksm.")).count == 1)
    #expect(try contradictions(Self.line.replacing("fork.", with: "fork.memfd.")).count == 1)
  }

  @Test("measured again, a case's line is replaced, and others stay")
  func again() throws {
    var all = try Measurements(parsing: Self.line + "\nsample fork.pread.staged 6.12.117 x86-64 4096 0/20")
    all.replace(with: try Measurements(parsing: Self.line.replacing("20/20", with: "7/7")).all)
    #expect(all.all.map(\.exposed) == [7, 20])
  }
}
