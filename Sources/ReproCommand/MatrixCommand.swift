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

  @Option(help: "Kernels, separated by commas.")
  var kernels: String = KernelProfiles.names.joined(separator: ",")
  @Option(help: "table, markdown or json.") var format: Format = .table
  @Option(help: "Guests at the same time.") var jobs: Int = max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN)))
  @Option(
    help: "Also write a JSONL report of each kernel into this folder, for 'repro report' and 'repro store'.")
  var reports: String?
  @OptionGroup var guest: GuestOptions
  @OptionGroup var options: PlanOptions

  func validate() throws {
    if jobs < 1 { throw ValidationError("--jobs \(jobs): a number above 0 is needed") }
    if guest.modules != nil { throw ValidationError("--modules goes with one kernel: use 'repro vm'") }
    try options.parts.requireGuestTarget()
  }

  func run() async throws {
    let plan = try options.plan()
    let names = kernels.split(separator: ",").map(String.init)
    if names.isEmpty { throw ValidationError("--kernels names none") }
    var guest = guest
    guest.oneShot = try OneShotExecutable.locate(guest.oneShot)
    let kernels = try await interruptible(.default) {
      try await KernelSource.resolve(all: names) { ReportWriter.write("\($0)\n", to: STDERR_FILENO) }
    }
    // A KVM that does not answer costs its limit once, not once a kernel.
    guest.accelerator = try await guest.accelerator.probed()
    let described = guest
    let writers = try ReportFiles(reports, names)
    let pool = GuestPool(jobs: jobs, onEvent: { writers.receive($1, $0) }) { index in
      try described.session(kernels[index], plan, .default)
    }
    let outcomes = try await interruptible(.default) {
      await pool.run(names) { kernel, count in
        ReportWriter.write("\(kernel): done (\(count) of \(names.count))\n", to: STDERR_FILENO)
      }
    }
    if let failure = writers.failure { throw ValidationError("a report is incomplete: \(failure)") }
    if let signal = Interrupts.signal { throw ExitCode(ExitCodes.default.code(interruptedBy: signal)) }
    var matrix = Matrix()
    for (index, name) in names.enumerated() {
      switch outcomes[index] {
      case .success(let outcome): matrix.add(name, outcome)
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
}
