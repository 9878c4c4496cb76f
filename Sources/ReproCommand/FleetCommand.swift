import ArgumentParser
import Foundation
import Repro
import ReproLab

/// `repro fleet`: many machines.
struct FleetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fleet", abstract: "Share a plan among the machines of a cluster or a lab.",
    subcommands: [PlanCommand.self])

  /// `repro fleet plan`.
  struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "plan", abstract: "Write job files: a shard a job, and what merges their reports.",
      discussion: """
        slurm: a job array and a merge that depends on it; FOLDER/submit submits both. lava: a job definition a \
        shard, and FOLDER/collect, which merges the reports in the jobs' logs. All shards have one seed. A shard \
        that failed or is missing makes the whole an error.
        """)

    /// Whose jobs.
    enum Kind: String, ExpressibleByArgument, CaseIterable { case slurm, lava }

    @Option(help: "How many shards.") var shards: Int
    @Option(help: "slurm or lava.") var format: Kind
    @Option(name: .shortAndLong, help: "The folder to write; for Slurm one that all nodes have.")
    var output: String
    @Option(help: "The static executable to put into it.") var oneShot: String?
    @Option(help: "For lava: where kernel, rootfs.ext4 and repro-oneshot are served.") var url: String?
    @Option(help: "For lava: the device type.") var deviceType = "qemu"
    @OptionGroup var options: PlanOptions

    func validate() throws {
      if shards < 1 { throw ValidationError("--shards \(shards): a number above 0 is needed") }
      if !options.shard.isEmpty { throw ValidationError("--shard: each job is given its own; drop it") }
      if format == .lava, url == nil {
        throw ValidationError("--format lava: --url must say where kernel, rootfs.ext4 and repro-oneshot are")
      }
    }

    func run() throws {
      let here = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      let fleet = try FleetPlan(try options.plan(), shards: shards, merger: here)
      let folder =
        switch format {
        case .slurm: RunnerFolder.slurm(fleet)
        case .lava: RunnerFolder.lava(fleet, LAVAOptions(deviceType: deviceType, url: url ?? ""))
        }
      try folder.write(to: output, oneShot: try OneShotExecutable.locate(oneShot))
    }
  }
}
