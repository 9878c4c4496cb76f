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
    let kernel = try await KernelSource(parsing: kernel, modules: modules).resolve { line in
      ReportWriter.write("\(line)\n", to: STDERR_FILENO)
    }
    var session = GuestSession(
      kernel: kernel, plan: plan, exitCodes: exitCodes, oneShot: try OneShotExecutable.locate(oneShot))
    session.accelerator = accelerator
    return session
  }
}

extension GuestSession {
  /// Runs the guest, and `observer` sees its events on the caller's task.
  func run(_ observer: any Observer) async throws -> Outcome {
    let exitCodes = exitCodes
    let (events, continuation) = AsyncStream<Event>.makeStream()
    async let outcome = interruptible(exitCodes) {
      defer { continuation.finish() }
      return try await run { continuation.yield($0) }
    }
    var done = 0.0
    var cells = 1.0
    for await event in events {
      if case .run(let start) = event { cells = Double(max(1, start.cells.count)) }
      observer.receive(event)
      if case .result(let result) = event {
        done += 1
        observer.progress(fraction: done / cells, cell: result.cell)
      }
    }
    return try await outcome
  }
}
