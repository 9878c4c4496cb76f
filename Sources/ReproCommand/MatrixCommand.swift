import ArgumentParser
import Glibc
import Repro
import ReproLab

/// `repro matrix`: scenarios by kernels.
struct MatrixCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "matrix",
    abstract: "Run scenarios on several kernels and compare with the catalogue of bugs.",
    discussion: """
      Exit codes: 0 all as expected; 1 a cell is unexpected or a kernel did not run; 2 usage, also a kernel \
      that is none, before anything boots; 3 nothing is unexpected, but a cell that the catalogue has an \
      opinion on is inconclusive or lacks something.
      """)

  /// How to print the matrix.
  enum Format: String, ExpressibleByArgument, CaseIterable { case table, markdown, json }

  @Option(
    help: ArgumentHelp(
      "Kernels, separated by commas, or '\(KernelProfiles.all)': \(KernelProfiles.names.joined(separator: ", "))."
    ))
  var kernels: String = KernelProfiles.usualNames.joined(separator: ",")
  @Option(
    help: ArgumentHelp(
      """
      Architectures, separated by commas, of kernels that run exported programs: \
      \(Architecture.names.joined(separator: ", ")). Repeatable.
      """))
  var arch: [String] = []
  @Option(help: "table, markdown or json.") var format: Format = .table
  @Option(help: "Guests at the same time. Default: one a CPU.") var jobs: Int?
  @Option(
    help: "Also write a JSONL report of each kernel into this folder, for 'repro report' and 'repro store'.")
  var reports: String?
  @OptionGroup var guest: GuestOptions
  @OptionGroup var options: PlanOptions

  func validate() throws {
    if let jobs, jobs < 1 { throw ValidationError("--jobs \(jobs): a number above 0 is needed") }
    if guest.modules != nil { throw ValidationError("--modules goes with one kernel: use 'repro vm'") }
    try options.requireGuest(isExported: !arch.isEmpty)
    _ = try architectures()
  }

  func run() async throws {
    let plan = try options.plan()
    let names = try kernelNames()
    if names.isEmpty { throw ValidationError("--kernels names none") }
    let columns = try columns(names)
    if columns.isEmpty { throw ValidationError("none of these architectures has any of these kernels") }
    var guest = guest
    if columns.contains(where: { $0.architecture == nil }) {
      guest.oneShot = try OneShotExecutable.locate(guest.oneShot)
      // A KVM that does not answer costs its limit once, not once a kernel.
      guest.accelerator = try await guest.accelerator.probed()
    }
    let kernels = try await interruptible(.default) {
      try await KernelSource.resolve(all: columns.map { ($0.kernel, $0.architecture) }) {
        ReportWriter.write("\($0)\n", to: STDERR_FILENO)
      }
    }
    let described = guest
    let titles = columns.map(\.title)
    let writers = try ReportFiles(reports, titles)
    let processors = max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN)))
    let pool = GuestPool(
      jobs: jobs ?? processors, onEvent: { writers.receive($1, $0) }
    ) { index in
      try described.session(kernels[index], plan, .default, on: columns[index].architecture)
    }
    let outcomes = try await interruptible(.default) {
      await pool.run(titles) { title, count in
        ReportWriter.write("\(title): done (\(count) of \(titles.count))\n", to: STDERR_FILENO)
      }
    }
    if let failure = writers.failure { throw ValidationError("a report is incomplete: \(failure)") }
    if let signal = Interrupts.signal { throw ExitCode(ExitCodes.default.code(interruptedBy: signal)) }
    var matrix = Matrix()
    for (index, name) in titles.enumerated() {
      switch outcomes[index] {
      case .success(let outcome): matrix.add(name, outcome, on: columns[index].architecture)
      case .failure(let error): matrix.add(name, failure: "\(error)")
      case nil: matrix.add(name, failure: "was not run")
      }
    }
    switch format {
    case .table: print(matrix.table)
    case .markdown: print(matrix.markdown)
    case .json: print(try matrix.json())
    }
    throw ExitCode(matrix.exitCode)
  }

  /// A kernel, and the architecture whose it is; none for the suite's own guests.
  private struct Column {
    var kernel: String
    var architecture: Architecture?

    var title: String { (architecture.map { "\($0.name) " } ?? "") + kernel }
  }

  /// What was asked for; `all` is every kernel that has a short name, here or on the architectures named.
  private func kernelNames() throws -> [String] {
    guard kernels == KernelProfiles.all else { return kernels.split(separator: ",").map(String.init) }
    let ofArchitectures = try architectures().flatMap(\.kernels).map(\.name)
    if ofArchitectures.isEmpty { return KernelProfiles.names }
    return ofArchitectures.enumerated().filter { ofArchitectures.firstIndex(of: $1) == $0 }.map(\.element)
  }

  /// Kernel by kernel, each with the architectures that have it.
  private func columns(_ names: [String]) throws -> [Column] {
    let architectures = try architectures()
    guard !architectures.isEmpty else { return names.map { Column(kernel: $0) } }
    let short = Set((Architecture.all.flatMap(\.kernels) + KernelProfiles.standard).map(\.name))
    return names.flatMap { name in
      architectures.compactMap { architecture in
        if short.contains(name), !architecture.kernels.contains(where: { $0.name == name }) {
          ReportWriter.write("\(architecture.name) has no kernel \(name)\n", to: STDERR_FILENO)
          return nil
        }
        return Column(kernel: name, architecture: architecture)
      }
    }
  }

  private func architectures() throws -> [Architecture] {
    try arch.flatMap { $0.split(separator: ",").map(String.init) }.map { name in
      guard let found = Architecture.named(name) else {
        let known = Architecture.names.joined(separator: ", ")
        throw ValidationError("--arch \(name): one of \(known) is needed")
      }
      return found
    }
  }
}
