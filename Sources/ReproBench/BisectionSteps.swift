import Foundation
import Repro
import ReproLab

/// A bisection step beside the least that any step needs: the same kernel from QEMU's start to power-off.
enum BisectionSteps {
  static let subject = Subject(
    "step",
    "`repro bisect --kernel K fork` as a program, beside a boot of the same kernel in the same machine without "
      + "disks, modules or parameters, whose /init powers off at once; medians of six. Either comes first in turn: "
      + "every other start of QEMU is slower here, whatever it is of."
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
    var (bare, steps): ([Double], [Double]) = ([], [])
    var run = GuestRun(kernel: kernel, initExecutable: scratch("init"), plan: "", modules: [])
    run.leftOut = Set(GuestRun.Part.allCases)
    run.isPlain = true
    for round in 0..<times {
      for isBare in [round % 2 == 0, round % 2 == 1] {
        if isBare {
          bare.append(try await run.run().seconds)
        } else {
          let step = try await Program.run(command)
          guard step.code == 0 || step.code == 1 else { throw BenchError("\(command): \(step.errors)") }
          steps.append(step.seconds)
        }
      }
    }
    return Row(
      what: "bisection step, kernel \(name)", figure: "\(steps.median.fixed(2)) s",
      beside: "bare boot to power-off \(bare.median.fixed(2)) s",
      ratio: "\((steps.median / bare.median).fixed(2)) x")
  }
}

/// All staged cases on all kernels.
enum WholeMatrix {
  static let subject = Subject(
    "matrix",
    "`repro matrix --kernels all --schedule staged`: wall time of the whole; kernels are there already."
  ) { smoke in
    let only = smoke ? ["fork", "--engine", "pread", "--memory", "anon", "--target", "held"] : []
    let kernels = smoke ? ["6.1"] : KernelProfiles.names
    let end = try await Program.run(
      [Program.repro, "matrix", "--schedule", "staged", "--kernels", kernels.joined(separator: ",")] + only)
    let cells = end.output.split(separator: "\n").prefix { !$0.hasPrefix("guest time") }.count - 1
    return [
      Row(
        what: "staged matrix of \(kernels.count) kernels", figure: "\(end.seconds.fixed(1)) s",
        beside: "\(cells) cases, exit code \(end.code)")
    ]
  }
}
