import Foundation
import Repro
import ReproLab

/// A bisection step beside the least that any step needs: the same kernel from QEMU's start to power-off.
enum BisectionSteps {
  static let subject = Subject(
    "step",
    "`repro bisect --kernel K fork` as a program, beside a boot of the same kernel in the same machine without "
      + "disks, modules or parameters, whose /init powers off at once: of the bzImage as it is, and of the ELF file "
      + "in it, which the step starts too. Medians of six, by turns: every other start of QEMU is slower here, "
      + "whatever it is of. The ratio is to the boot of the bzImage."
  ) { smoke in
    var rows: [Row] = []
    for kernel in smoke ? ["6.1"] : ["6.1", "6.12"] { rows.append(try await row(kernel, smoke ? 1 : 6)) }
    return rows
  }

  private static func row(_ name: String, _ times: Int) async throws -> Row {
    let kernel = try await KernelSource(parsing: name).resolve()
    let scratch = try Scratch()
    try await Program.compiled("power-off", ["-static"], to: scratch("init"))
    let command = [Program.repro, "bisect", "--kernel", name, "fork"]
    _ = try await Program.run(command)  // the first prepares what the others find
    var whole = GuestRun(kernel: kernel, initExecutable: scratch("init"), plan: "", modules: [])
    whole.leftOut = Set(GuestRun.Part.allCases)
    whole.processors = 1
    whole.isPlain = true
    let direct = whole
    whole.bootsWhole = true
    var (bare, bareDirect, steps): ([Double], [Double], [Double]) = ([], [], [])
    for round in 0..<times {
      for turn in 0..<3 {
        switch (round + turn) % 3 {
        case 0: bare.append(try await whole.run().seconds)
        case 1: bareDirect.append(try await direct.run().seconds)
        default:
          let step = try await Program.run(command)
          guard step.code == 0 || step.code == 1 else { throw BenchError("\(command): \(step.errors)") }
          steps.append(step.seconds)
        }
      }
    }
    return Row(
      what: "bisection step, kernel \(name)", figure: "\(steps.median.fixed(2)) s",
      beside:
        "bare boot to power-off \(bare.median.fixed(2)) s, of the ELF file \(bareDirect.median.fixed(2)) s",
      ratio: "\((steps.median / bare.median).fixed(2)) x")
  }
}

/// All staged cases on all kernels, and what all engines do with those that each kernel tells apart.
enum WholeMatrix {
  static let subject = Subject(
    "matrix",
    "`repro matrix --kernels all --schedule staged`, and the same with `\(engines.joined(separator: " "))`: wall time "
      + "of the whole; kernels are there already."
  ) { smoke in
    if smoke {
      let only = ["fork", "--engine", "pread", "--memory", "anon", "--target", "held"]
      return [try await row("staged matrix", ["6.1"], only)]
    }
    return [
      try await row("staged matrix", KernelProfiles.names, []),
      try await row("the same, six engines", KernelProfiles.names, engines),
    ]
  }

  private static let engines =
    [
      "fork", "fork-child-stays", "fork-child-reads", "mprotect", "soft-dirty", "pageout", "move_pages",
      "ksm", "control-none", "--memory", "anon", "--target", "held",
    ]
    + ["pread", "preadv2", "libaio", "io_uring", "io_uring-fixed", "readv"].flatMap { ["--engine", $0] }

  private static func row(_ what: String, _ kernels: [String], _ only: [String]) async throws -> Row {
    let end = try await Program.run(
      [Program.repro, "matrix", "--schedule", "staged", "--kernels", kernels.joined(separator: ",")] + only)
    let cells = end.output.split(separator: "\n").prefix { !$0.hasPrefix("guest time") }.count - 1
    return Row(
      what: "\(what) of \(kernels.count) kernels", figure: "\(end.seconds.fixed(1)) s",
      beside: "\(cells) cases, exit code \(end.code)")
  }
}
