import Foundation
@testable import Repro
import Synchronization
import TestHost
import Testing

@testable import ReproLab

/// What `repro export --c` writes, run on kernels that have the bugs and on kernels that don't.
@Suite("Exported programs in guests", .serialized, .inGuests)
struct ExportedProgramGuestTests {
  private static let lost: [String: Set<String>] = [
    "6.1": [
      "control-remap", "fork", "fork-child-stays", "fork-child-reads", "fork-remote-store", "fork-read2",
      "mprotect-then-fork", "fork-vm-write", "fork-mem-write",
    ],
    "6.12": ["control-remap"],
    "7.2": ["control-remap"],
  ]

  private static func run(
    _ architecture: String, _ kernel: String, _ scenarios: [String], trials: Int = 20
  ) async throws -> GuestSession.Outcome {
    let machine = try #require(Architecture.named(architecture))
    var plan = Plan(Selection(scenarios: scenarios), seed: Seed(1))
    plan.trials = trials
    plan.selection.schedules = [.staged]
    plan.selection.memories = [.anon]
    plan.selection.targets = [TargetSpec(.held)]
    let source = try KernelSource(parsing: kernel, profiles: machine.kernels)
    return try await GuestSession(
      kernel: try await source.resolve(for: machine), plan: plan, exitCodes: .default,
      payload: .exported(machine)
    ).run { _ in }
  }

  @Test("each kernel loses what it is known to lose", arguments: lost.keys.sorted())
  func verdicts(kernel: String) async throws {
    let names = Scenario.all.filter { scenario in
      let one = Case(
        scenario: scenario, memory: .anon, engine: scenario.engine.isEmpty ? .pread : .ioUringFixed,
        target: TargetSpec(.held), schedule: .staged)
      return scenario.direction == .read && one.exclusion(depth: 1) == nil && (try? CExport(one)) != nil
    }.map(\.name)
    let outcome = try await Self.run("x86-64", kernel, names)
    #expect(outcome.guest.ending == .finished(status: 0), "\(outcome.guest.ending)")
    #expect(outcome.results.count == names.count)
    for result in outcome.results {
      let name = result.case.scenario
      // Since 6.2, and on 6.1 with its later patches, mprotect leads to no write fault: nothing is asked. By 6.12
      // the same is true of userfaultfd, which moves pages since 6.8.
      let isSilent = ["mprotect", "uffd-protect", "uffd-move"].contains(name) && result.verdict == .skipped
      let expected: Verdict = Self.lost[kernel]?.contains(name) == true ? .corrupt : .clean
      #expect(result.verdict == expected || isSilent, "\(name): \(result.verdict) \(result.reason ?? "")")
    }
  }

  @Test(
    "a raced program loses where the staged one does, on other architectures too; elsewhere it is clean",
    arguments: ["x86-64", "arm64", "ppc64le"], ["6.1", "7.2"])
  func race(architecture: String, kernel: String) async throws {
    let machine = try #require(Architecture.named(architecture))
    var export = try CExport(try #require(CaseName("fork.pread.scratch.race")))
    export.isForGuests = true
    let programs = try await ExportedPrograms.compile(
      [.init(name: "race", text: export.source)], for: machine)
    let found = try await KernelSource(parsing: kernel, profiles: machine.kernels).resolve(for: machine)
    let run = GuestRun(
      kernel: found, programs: programs, arguments: "10", for: machine, modules: Initramfs.defaultModules,
      accelerator: .tcg, timeout: .seconds(120), silence: .seconds(60))
    let lines = Mutex<[String]>([])
    let report = try await run.run { line in lines.withLock { $0.append(line) } }
    #expect(report.ending == .finished(status: 0), "\(report.ending)")
    let said = lines.withLock { $0 }
    let last = try #require(said.last { $0.hasPrefix("fork, raced: ") }, "\(said)")
    // Clean only with enough exposures, else it says INCONCLUSIVE.
    #expect(last.hasPrefix("fork, raced: \(kernel == "6.1" ? "CORRUPT" : "CLEAN")"), "\(said)")
  }

  @Test("the same C is right on another architecture: arm64 loses on 6.1, and nothing without a hazard")
  func otherArchitecture() async throws {
    let outcome = try await Self.run("arm64", "6.1", ["fork", "control-none", "control-remap"], trials: 5)
    #expect(outcome.guest.ending == .finished(status: 0), "\(outcome.guest.ending)")
    let start = try #require(outcome.start)
    #expect(start.machine == "aarch64" && start.pageSize == 4096 && start.byteOrder == "little")
    var verdicts: [String: Verdict] = [:]
    for result in outcome.results where result.case.engine == "pread" {
      verdicts[result.case.scenario] = result.verdict
    }
    #expect(verdicts == ["fork": .corrupt, "control-none": .clean, "control-remap": .corrupt])
    #expect(outcome.results.first { $0.case.scenario == "fork" }?.bugs == ["fork-fuse"])
  }
}
