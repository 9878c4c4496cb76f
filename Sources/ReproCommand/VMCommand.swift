import ArgumentParser
import Glibc
import Repro
import ReproLab

/// Which kernel, and how to run it.
struct GuestOptions: ParsableArguments {
  @Option(help: "Folder with the kernel's modules, for a kernel given as a path.")
  var modules: String?

  @Option(help: "The static executable to run as /init.")
  var oneShot: String?

  @Option(help: "tcg (emulation, the default) or kvm.")
  var accelerator: Accelerator = .tcg

  func kernel(_ text: String) async throws -> Kernel {
    try await KernelSource(parsing: text, modules: modules).resolve { line in
      ReportWriter.write("\(line)\n", to: STDERR_FILENO)
    }
  }

  func session(_ kernel: Kernel, _ plan: Plan, _ exitCodes: ExitCodes) throws -> GuestSession {
    var session = GuestSession(
      kernel: kernel, plan: plan, exitCodes: exitCodes, oneShot: try OneShotExecutable.locate(oneShot))
    session.accelerator = accelerator
    return session
  }
}

extension Accelerator: ExpressibleByArgument {}

/// `repro vm`: the same as `repro run`, on another kernel in a guest.
struct VMCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vm", abstract: "Run scenarios on another kernel, in a QEMU guest.",
    discussion: """
      A kernel is a bzImage or vmlinux, debian:SUITE/PACKAGE, or one of \
      \(KernelProfiles.names.joined(separator: ", ")). \(GuestSession.neededOptions).
      """)

  @Option(help: "The kernel to run on.") var kernel: String
  @OptionGroup var guest: GuestOptions
  @OptionGroup var options: PlanOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    if let target = options.target, target != "held" {
      throw ValidationError(
        "--target \(target): a guest races on its own disk; drop --target, or give 'held'")
    }
  }

  func run() async throws {
    let session = try guest.session(try await guest.kernel(kernel), try options.plan(), report.exitCodes)
    let output = try report.output.map(openOutput) ?? STDOUT_FILENO
    let writer = ReportWriter(report.format.make(report.exitCodes), output: output)
    let (events, continuation) = AsyncStream<Event>.makeStream()
    async let outcome = {
      defer { continuation.finish() }
      return try await session.run { continuation.yield($0) }
    }()
    var done = 0
    var cells: [String] = []
    for await event in events {
      if case .run(let start) = event { cells = start.cells }
      if case .result(let result) = event {
        done += 1
        writer.progress(fraction: Double(done) / Double(max(1, cells.count)), cell: result.cell)
      }
      writer.receive(event)
    }
    let end = try await outcome.end
    if let failure = writer.failure {
      throw ValidationError("the report is incomplete: \(failure)")
    }
    if end.verdict == .error, let reason = end.reason {
      ReportWriter.write("repro: error: \(reason)\n", to: STDERR_FILENO)
    }
    throw ExitCode(report.exitCodes.code(end.verdict))
  }
}
