import ArgumentParser
import Glibc
import Repro
import ReproLab

extension Accelerator: ExpressibleByArgument {}

/// Which kernel, and how to run it.
struct GuestOptions: ParsableArguments {
  @Option(help: "Folder with the kernel's modules, for a kernel given as a path.")
  var modules: String?

  @Option(help: "The static executable to run as /init.")
  var oneShot: String?

  @Option(help: "tcg (emulation), kvm, or auto (kvm if it works).")
  var accelerator: Accelerator = .tcg

  /// Resolves `kernel` and describes a guest that runs `plan` on it.
  func session(_ kernel: String, _ plan: Plan, _ exitCodes: ExitCodes) async throws -> GuestSession {
    let found = try await KernelSource(parsing: kernel, modules: modules).resolve { line in
      ReportWriter.write("\(line)\n", to: STDERR_FILENO)
    }
    return try session(found, plan, exitCodes)
  }

  /// Describes a guest that runs `plan` on a kernel that is there.
  func session(_ kernel: Kernel, _ plan: Plan, _ exitCodes: ExitCodes) throws -> GuestSession {
    var session = GuestSession(
      kernel: kernel, plan: plan, exitCodes: exitCodes, oneShot: try OneShotExecutable.locate(oneShot))
    session.accelerator = accelerator
    return session
  }

  /// Runs the guest until it ends, or a signal to stop arrives; `observer` sees its events.
  func run(_ session: GuestSession, _ observer: any Observer) async throws -> GuestSession.Outcome {
    let exitCodes = session.exitCodes
    return try await session.run(observer) { work in try await interruptible(exitCodes, work) }
  }
}
