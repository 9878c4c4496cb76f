import Foundation
import Repro
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
      // Since 6.2, and on 6.1 with its later patches, mprotect leads to no write fault: nothing is asked. There
      // is no program to spawn in these guests.
      let isSilent = ["mprotect", "posix_spawn"].contains(name) && result.verdict == .skipped
      let expected: Verdict = Self.lost[kernel]?.contains(name) == true ? .corrupt : .clean
      #expect(result.verdict == expected || isSilent, "\(name): \(result.verdict) \(result.reason ?? "")")
    }
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
