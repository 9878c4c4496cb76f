import Foundation
import Repro
import Testing

@Suite("Export to C")
struct CExportTests {
  static let exportable = [
    "control-remap", "control-none", "fork", "fork-child-stays", "fork-child-reads", "mprotect", "soft-dirty",
    "pageout", "move_pages", "ksm",
  ]

  /// A folder of C programs, removed with its owner.
  private final class Programs {
    let folder = NSTemporaryDirectory() + "/repro-cexport-\(UUID().uuidString)"

    init() throws {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func compile(_ name: String) throws -> String {
      let program = "\(folder)/\(name)"
      try CExport(named: name).source.write(toFile: program + ".c", atomically: true, encoding: .utf8)
      let (status, output) = try Self.run(
        "/usr/bin/env",
        ["cc", "-Wall", "-Wextra", "-Werror", "-O2", "-static", program + ".c", "-o", program])
      try #require(status == 0, "\(output)")
      return program
    }

    static func run(_ path: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: path)
      process.arguments = arguments
      let pipe = Pipe()
      process.standardOutput = pipe
      process.standardError = pipe
      try process.run()
      let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
      process.waitUntilExit()
      return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
  }

  private static let hasCompiler = (try? Programs.run("/usr/bin/env", ["cc", "--version"]).status) == 0
  private static let canRun = hasCompiler && geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0

  @Test("just the scenarios that read are exported")
  func whichOnes() {
    for scenario in Scenario.all {
      #expect(
        ((try? CExport(scenario)) != nil) == Self.exportable.contains(scenario.name), "\(scenario.name)")
    }
    #expect(throws: PlanError.self) { try CExport(named: "no-such") }
    do throws(PlanError) {
      _ = try CExport(named: "fork-write")
    } catch {
      #expect(error.description.hasPrefix("fork-write can't be exported"))
      #expect(!error.description.contains("\n"))
    }
  }

  @Test("the source is short, complete and in the kernel's style", arguments: exportable)
  func source(name: String) throws {
    let scenario = try #require(Scenario.all.first { $0.name == name })
    let source = try CExport(scenario).source
    let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(source.hasSuffix("}\n") && lines.count - 1 <= 250)
    #expect(source.firstMatch(of: /@[a-zA-Z]+@/) == nil)
    for line in lines {
      #expect(line.firstMatch(of: /^  |[ \t]$/) == nil, "\(line)")
      #expect(Self.width(line) <= 100, "\(line)")
    }
    #expect(source.hasPrefix("/*\n * \(name): \(scenario.summary.prefix(20))"))
    for line in scenario.drawing.split(separator: "\n") { #expect(source.contains(" * \(line)\n")) }
    for bug in Catalogue.standard.bugs(scenario: name, path: "fuse") {
      #expect(source.contains(bug.id))
      for commit in bug.fix { #expect(source.contains(commit.hash)) }
    }
    for case .file(let path, let value, _) in scenario.settings {
      #expect(source.contains("{ \"\(path)\", \"\(value)\", \"\" },"))
    }
    #expect(scenario.needs.isEmpty || source.contains("END(SKIPPED, \"no") || source.contains("page"))
  }

  @Test("it compiles without a warning", .enabled(if: hasCompiler), arguments: exportable)
  func compiles(name: String) throws { _ = try Programs().compile(name) }

  @Test("it runs here", .enabled(if: canRun), .serialized, arguments: exportable)
  func runs(name: String) throws {
    let programs = try Programs()
    let (status, output) = try Programs.run(programs.compile(name), ["5"])
    let last = try #require(output.split(separator: "\n").last)
    switch status {
    case 0: #expect(last == "\(name): CLEAN: no loss in 5 trials, 5 of them exposures")
    case 1:
      #expect(last == "\(name): CORRUPT: 5 of 5 reads lost data")
      #expect(output.hasPrefix("trial 0: LOST READ: byte 0: expected 5a, found f1; page frame 0x"))
    case 4: #expect(last.hasPrefix("\(name): SKIPPED: "))
    default: Issue.record("\(status): \(output)")
    }
    #expect((status == 1) == mustLose(name), "\(output)")
  }

  /// Columns, with a tab stop every 8.
  private static func width(_ line: Substring) -> Int {
    var column = 0
    for character in line { column = character == "\t" ? (column / 8 + 1) * 8 : column + 1 }
    return column
  }

  /// What the catalogue says of the kernel that this runs on.
  private func mustLose(_ name: String) -> Bool {
    var names = utsname()
    uname(&names)
    let release = withUnsafeBytes(of: names.release) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    let version = KernelVersion(release: release) ?? KernelVersion(6, 18)
    let expectation = Catalogue.standard.expectation(scenario: name, path: "fuse", version: version)
    if case .corrupt = expectation { return true }
    return false
  }

  @Test("too few trials are inconclusive", .enabled(if: canRun))
  func inconclusive() throws {
    let programs = try Programs()
    let (status, output) = try Programs.run(programs.compile("control-none"), ["2"])
    #expect(status == 3 && output == "control-none: INCONCLUSIVE: 2 exposures in 2 trials, 3 needed\n")
  }
}
