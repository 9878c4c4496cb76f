import ArgumentParser
import Glibc
import Repro
import ReproLab

extension Accelerator: ExpressibleByArgument {}

extension Architecture: ExpressibleByArgument {
  /// The record of that name.
  public init?(argument: String) {
    guard let found = Architecture.named(argument) else { return nil }
    self = found
  }

  /// For the help.
  public static var allValueStrings: [String] { names }
  /// For the help.
  public var defaultValueDescription: String { name }
}

/// Which kernel, and how to run it.
struct GuestOptions: ParsableArguments {
  @Option(help: "Folder with the kernel's modules, for a kernel given as a path.")
  var modules: String?

  @Option(help: "The static executable to run as /init.")
  var oneShot: String?

  @Option(help: "tcg (emulation), kvm, or auto (kvm if it works).")
  var accelerator: Accelerator = .tcg

  /// Resolves `kernel` and describes a guest that runs `plan` on it.
  /// - Parameter architecture: of the kernel, which then runs exported programs; nil for the suite on x86-64.
  func session(
    _ kernel: String, _ plan: Plan, _ exitCodes: ExitCodes, on architecture: Architecture? = nil
  ) async throws -> GuestSession {
    let profiles = architecture?.kernels ?? KernelProfiles.standard
    let source = try KernelSource(parsing: kernel, modules: modules, profiles: profiles)
    let found = try await source.resolve(for: architecture) { line in
      ReportWriter.write("\(line)\n", to: STDERR_FILENO)
    }
    return try session(found, plan, exitCodes, on: architecture)
  }

  /// Describes a guest that runs `plan` on a kernel that is there.
  func session(
    _ kernel: Kernel, _ plan: Plan, _ exitCodes: ExitCodes, on architecture: Architecture? = nil
  ) throws -> GuestSession {
    let payload: GuestSession.Payload
    if let architecture {
      payload = .exported(architecture)
    } else {
      payload = .oneShot(try OneShotExecutable.locate(oneShot))
    }
    var session = GuestSession(kernel: kernel, plan: plan, exitCodes: exitCodes, payload: payload)
    session.accelerator = accelerator
    return session
  }

  /// Runs the guest until it ends, or a signal to stop arrives; `observer` sees its events.
  func run(_ session: GuestSession, _ observer: any Observer) async throws -> GuestSession.Outcome {
    let exitCodes = session.exitCodes
    return try await session.run(observer) { work in try await interruptible(exitCodes, work) }
  }
}
