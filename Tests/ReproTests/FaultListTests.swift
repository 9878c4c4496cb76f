import Foundation
import Testing

@testable import Repro

/// Tests/faults.txt, which Tests/plant-faults plants: a change of the sources must not make it rot.
@Suite("List of faults")
struct FaultListTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    .standardized

  private static let records: [[String: String]] = {
    let text = try? String(contentsOf: root.appending(path: "Tests/faults.txt"), encoding: .utf8)
    let jar = text.flatMap { try? RecordJar(parsing: $0) }
    return jar?.records.map { $0.fields.mapValues(\.value) } ?? []
  }()

  @Test("is long enough, and each name stands once")
  func names() {
    #expect(Self.records.count >= 20)
    #expect(Set(Self.records.map { $0["name"] }).count == Self.records.count)
  }

  @Test("each fault's text is in its file exactly once, and is not what replaces it", arguments: records)
  func texts(fault: [String: String]) throws {
    #expect(Set(fault.keys) == ["name", "what", "file", "text", "with", "tests"])
    let (marked, file) = (try #require(fault["text"]), try #require(fault["file"]))
    #expect(marked.contains(/«.+»/), "what is replaced is marked")
    let text = marked.replacing(/[«»]/, with: "")
    let source = try String(contentsOf: Self.root.appending(path: file), encoding: .utf8)
    #expect(file.hasPrefix("Sources/"))
    #expect(source.components(separatedBy: text).count == 2, "\(file): '\(text)'")
    #expect(marked.firstMatch(of: /«(.+)»/)?.output.1 != fault["with"]?[...])
  }

  @Test("the tests that must catch a fault are there")
  func tests() throws {
    let files = FileManager.default.enumerator(
      at: Self.root.appending(path: "Tests"), includingPropertiesForKeys: nil)
    let suites = try (files?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "swift" }
      .map { try String(contentsOf: $0, encoding: .utf8) }.joined()
    for words in Set(Self.records.compactMap { $0["tests"] }) {
      for filter in words.split(separator: "|") {
        let suite = filter.prefix { $0 != "/" }
        let isThere = suites.contains("struct \(suite)") || suites.contains("class \(suite)")
        #expect(isThere, "\(filter)")
        #expect(!suite.hasSuffix("GuestTests"))
      }
    }
  }
}
