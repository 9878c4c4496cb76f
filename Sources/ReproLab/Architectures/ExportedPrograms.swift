import Foundation
import Repro
import Synchronization

/// Cases as the C programs that `repro export --c` writes, compiled for an architecture.
///
/// Each is a static executable that is a guest's `/init` as well as one of its `/cases`.
struct ExportedPrograms: Sendable {
  /// The cases that have a program, in the order of the plan.
  let cases: [Case]
  /// Those that have none, and why.
  let leftOut: [(case: CaseName, reason: String)]

  /// A program's text, and what it is called in complaints.
  struct Source: Sendable {
    let name: String
    let text: String
  }

  private let sources: [Source]

  /// Exports the staged cases of `plan`.
  /// - Throws: LabError when not one of them can be exported.
  init(_ plan: Plan) throws {
    var cases: [Case] = []
    var sources: [Source] = []
    var leftOut: [(case: CaseName, reason: String)] = []
    for one in try plan.expand().cases where one.schedule == .staged {
      do throws(PlanError) {
        var export = try CExport(one)
        export.isForGuests = true
        sources.append(Source(name: "\(one.name)", text: export.source))
        cases.append(one)
      } catch {
        leftOut.append((one.name, error.description))
      }
    }
    guard !cases.isEmpty else {
      throw LabError(
        leftOut.first?.reason ?? "nothing that is selected is staged, and only staged cases are exported",
        remedy: "select others; 'repro list --cases --schedule staged' names them")
    }
    self.cases = cases
    self.sources = sources
    self.leftOut = leftOut
  }

  /// What a compiler made of sources: guests of several kernels run the same programs.
  private static let made = Mutex<[[String]: [[UInt8]]]>([:])

  /// Compiles them, some at a time, unless this process has done so.
  /// - Returns: the executables, in the order of `cases`.
  /// - Throws: LabError that names the packages of a compiler that is not there, or what it says.
  func compiled(for architecture: Architecture) async throws -> [[UInt8]] {
    try await Self.compile(sources, for: architecture)
  }

  /// The same for sources of any origin.
  static func compile(_ sources: [Source], for architecture: Architecture) async throws -> [[UInt8]] {
    let key = [architecture.compiler.program] + sources.map(\.text)
    if let known = Self.made.withLock({ $0[key] }) { return known }
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-export")
    defer { folder.remove() }
    let tool = HostTool(name: architecture.compiler.program, package: architecture.compiler.packages)
    let jobs = max(1, ProcessInfo.processInfo.activeProcessorCount)
    let programs = try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
      var programs = [[UInt8]](repeating: [], count: sources.count)
      var next = 0
      func start() {
        guard next < sources.count else { return }
        let index = next
        next += 1
        let (source, path) = (sources[index], folder.appending("\(index)"))
        group.addTask { (index, try await compile(source, to: path, with: tool)) }
      }
      for _ in 0..<jobs { start() }
      for try await (index, program) in group {
        programs[index] = program
        start()
      }
      return programs
    }
    Self.made.withLock { $0[key] = programs }
    return programs
  }

  private static func compile(_ source: Source, to path: String, with tool: HostTool) async throws -> [UInt8]
  {
    try source.text.write(toFile: path + ".c", atomically: false, encoding: .utf8)
    // Little optimisation: the programs wait for the kernel, and the compiler is most of what they cost.
    let outcome = try await tool.run(["-O1", "-static", "-s", "-pthread", "-o", path, path + ".c"])
    guard outcome.succeeded, let data = FileManager.default.contents(atPath: path) else {
      throw LabError(
        "\(source.name): \(tool.name) failed: \(outcome.complaint)",
        remedy: "apt-get install \(tool.package), if it lacks headers or libraries")
    }
    return [UInt8](data)
  }
}
