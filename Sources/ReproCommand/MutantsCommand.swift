import ArgumentParser
import Foundation
import Glibc
import Repro
import ReproLab

/// `repro mutants`: kernels with one guard removed, and whether the scenarios find them.
struct MutantsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mutants",
    abstract: "Build kernels with one guard removed each, and see whether the scenarios lose data on them.",
    discussion: """
      Debian's source of \(MutantBase.standard.name) is downloaded to \(MutantLab.standardCache), never installed; \
      kernels are built once and kept there, so a run that was stopped goes on where it was. The base takes minutes, \
      each mutation a fraction of one. Exit codes: 0 all mutations are found that are marked reachable, no others, \
      and the base is as the catalogue has it; 1 not so; 2 usage, or the base can't be built.
      """)

  /// How to print the table.
  enum Format: String, ExpressibleByArgument, CaseIterable { case table, markdown, jsonl }

  @Argument(help: "Mutations, or globs of their ids; all if none is given.") var mutations: [String] = []
  @Flag(help: "Only known fixes: what loses data on the base must be clean with them.") var fix = false
  @Flag(help: "Run all staged scenarios on every kernel, not just those that claim its guard.") var all =
    false
  @Flag(help: "List the mutations.") var list = false
  @Flag(help: "Only apply the edits to the source, and print what fixtures/mutant-sources.txt must be.")
  var check = false
  @Flag(help: "Remove source, objects and kernels.") var clean = false
  @Option(help: "The kernel whose source is edited: \(MutantBase.all.map(\.name).joined(separator: " or ")).")
  var base = MutantBase.standard
  @Flag(help: "Only build the kernels.") var build = false
  @Flag(help: "Build with the kernel's own assertions, DEBUG_VM and PAGE_TABLE_CHECK.") var assertions = false
  @Option(help: "table, markdown or jsonl.") var format: Format = .table
  @Option(help: "Also write the outcomes to this file, one JSON line a kernel.") var output: String?
  @Option(help: "Print the table of outcomes that were written before; nothing is built or run.")
  var report: String?
  @Option(help: "Compilers, and guests, at the same time.")
  var jobs: Int = max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN)))
  @OptionGroup var guest: GuestOptions

  func validate() throws {
    if jobs < 1 { throw ValidationError("--jobs \(jobs): a number above 0 is needed") }
    if guest.modules != nil { throw ValidationError("--modules: these kernels have none") }
    _ = try chosen()
  }

  private func chosen() throws -> [Mutation] {
    do {
      let matching = try base.mutations.matching(mutations)
      return fix ? matching.filter { $0.kind == .fix } : matching
    } catch {
      throw ValidationError("\(error)")
    }
  }

  private static func tell(_ line: String) { ReportWriter.write("\(line)\n", to: STDERR_FILENO) }

  func run() async throws {
    let chosen = try chosen()
    if list {
      for mutation in chosen { print("\(mutation.id): \(mutation.summary) (\(mutation.guardText))") }
    } else if clean {
      print(try MutantLab.clean(base) ? "\(MutantLab.standardCache): removed" : "nothing is there")
    } else if let report {
      guard let text = try? String(contentsOfFile: report, encoding: .utf8) else {
        throw ValidationError("--report \(report): cannot be read")
      }
      try conclude(MutantScore(chosen, MutantOutcome.parse(text), hasAssertions: assertions), nil)
    } else if check {
      let all = base.mutations.all
      let lab = try await open()
      print(try lab.check(all).text, terminator: "")
    } else {
      let outcomes = try await outcomes(chosen)
      try conclude(MutantScore(chosen, outcomes, hasAssertions: assertions), outcomes)
    }
  }

  private func open() async throws -> MutantLab {
    let (base, jobs, assertions) = (base, jobs, assertions)
    return try await interruptible(.default) {
      try await MutantLab.open(
        base, hasAssertions: assertions, jobs: jobs, progress: Self.tell)
    }
  }

  private func outcomes(_ chosen: [Mutation]) async throws -> [MutantOutcome] {
    var guest = guest
    guest.oneShot = try OneShotExecutable.locate(guest.oneShot)
    guest.accelerator = try await guest.accelerator.probed()
    let lab = try await open()
    let changes = try lab.check(chosen).changes(since: base.recorded)
    if !changes.isEmpty {
      Self.tell(
        "linux \(lab.version) has other code than the records were checked with: \(changes.joined(separator: ", "))"
      )
    }
    let subjects = MutantSubject.all(chosen, runsAll: all)
    let kernels = try await interruptible(.default) { try await lab.kernels(subjects, progress: Self.tell) }
    if build {
      throw ExitCode(kernels.values.contains { if case .failure = $0 { true } else { false } } ? 1 : 0)
    }

    let described = guest
    let seed = Seed.random
    let start = ContinuousClock.now
    let pool = GuestPool(jobs: jobs) { index in
      guard let kernel = kernels[subjects[index].id] else { throw ExitCode(2) }
      return try described.session(kernel.get(), subjects[index].plan(seed: seed), .default)
    }
    let ran = try await interruptible(.default) {
      await pool.run(subjects.map(\.id)) { id, done in
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let left = Int(seconds / Double(done) * Double(subjects.count - done))
        Self.tell("\(id): run (\(done) of \(subjects.count)), about \(left) s left")
      }
    }
    if let signal = Interrupts.signal { throw ExitCode(ExitCodes.default.code(interruptedBy: signal)) }
    return subjects.indices.map { MutantOutcome(subjects[$0], ran[$0]) }
  }

  private func conclude(_ score: MutantScore, _ outcomes: [MutantOutcome]?) throws {
    if let output, let outcomes {
      let descriptor = try openOutput(output)
      if let failure = ReportWriter.write(try MutantOutcome.lines(outcomes), to: descriptor) {
        throw ValidationError("--output \(output): \(failure)")
      }
    }
    switch format {
    case .table: print(score.table)
    case .markdown: print(score.markdown)
    case .jsonl: print(try MutantOutcome.lines(outcomes ?? []), terminator: "")
    }
    throw ExitCode(score.exitCode)
  }
}

extension MutantBase: ExpressibleByArgument {
  /// By its name.
  public init?(argument: String) {
    guard let base = MutantBase.all.first(where: { $0.name == argument }) else { return nil }
    self = base
  }

  /// As it is written on the command line.
  public var defaultValueDescription: String { name }
}
