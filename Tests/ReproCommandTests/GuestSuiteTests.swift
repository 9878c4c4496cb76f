import Foundation
import Testing

/// How `./run.sh test --guest` finds the tests that boot guests, and knows that it ran them all.
@Suite("Guest suites")
struct GuestSuiteTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    .standardized

  /// The test files, without this one.
  private static let files: [(name: String, text: String)] = {
    let folder = root.appending(path: "Tests")
    let all = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    return (all?.compactMap { $0 as? URL } ?? []).filter {
      $0.pathExtension == "swift" && $0.lastPathComponent != "GuestSuiteTests.swift"
    }.compactMap { file in
      (try? String(contentsOf: file, encoding: .utf8)).map { (file.lastPathComponent, $0) }
    }
  }()

  @Test("are named so that the filter finds them, and no others are")
  func names() {
    let suite = /\n(?:final )?(?:struct|class|actor) (\w+)/
    for (name, text) in Self.files where !name.hasPrefix("Guests.") {
      let isNamed = text.matches(of: suite).contains { $0.output.1.hasSuffix("GuestTests") }
      #expect(text.contains(".inGuests") == isNamed, "\(name)")
      #expect(!text.contains("REPRO_GUEST_TESTS"), "\(name): say .inGuests")
    }
  }

  @Test("have as many tests as run.sh expects to pass")
  func count() throws {
    let script = try String(contentsOf: Self.root.appending(path: "run.sh"), encoding: .utf8)
    let expected = try #require(script.firstMatch(of: /\nguest_tests=(\d+)\n/)?.output.1)
    let tests = Self.files.filter { $0.text.contains(".inGuests") && $0.name.hasSuffix("Tests.swift") }
      .reduce(0) { $0 + $1.text.matches(of: /\n  @Test\b/).count }
    #expect(tests == Int(expected))
    #expect(script.contains("--filter GuestTests"))
  }

  /// A name pattern would end processes that other people started.
  @Test("know their processes by id")
  func noPatterns() {
    for (name, text) in Self.files {
      #expect(!text.contains(/\b(pkill|pgrep)\b[^\n]*-\w*f\b/) && !text.contains("killall"), "\(name)")
    }
  }
}
