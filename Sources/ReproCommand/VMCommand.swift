import ArgumentParser
import Glibc
import Repro
import ReproLab

/// `repro vm`: the same as `repro run`, on another kernel in a guest.
struct VMCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vm", abstract: "Run scenarios on another kernel, in a QEMU guest.",
    discussion: """
      A kernel is a bzImage or vmlinux, a .deb, an .rpm or a folder of either, debian:SUITE/PACKAGE, or one of \
      \(KernelProfiles.names.joined(separator: ", ")). \(KernelOptions.text).

      With --arch the staged scenarios run as exported C programs, compiled for that architecture.
      """)

  @Option(help: "The kernel to run on.") var kernel: String
  @Option(help: "Architecture of the kernel: \(Architecture.names.joined(separator: ", ")).")
  var arch: Architecture?
  @OptionGroup var guest: GuestOptions
  @OptionGroup var options: PlanOptions
  @OptionGroup var report: ReportOptions

  func validate() throws { try options.requireGuest(isExported: arch != nil) }

  func run() async throws {
    let session = try await guest.session(kernel, try options.plan(), report.exitCodes, on: arch)
    let writer = try report.writer()
    let end = try await guest.run(session, writer).end
    if let failure = writer.failure { throw ValidationError("the report is incomplete: \(failure)") }
    if end.verdict == .error, let reason = end.reason {
      ReportWriter.write("repro: error: \(reason)\n", to: STDERR_FILENO)
    }
    throw ExitCode(report.exitCodes.code(end.verdict))
  }
}
