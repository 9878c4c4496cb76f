extension RunnerFolder {
  /// A folder for Slurm: a job array with a shard a task, and a job that merges their reports. It must be on a
  /// file system that all nodes have.
  ///
  /// The merge comes after all shards, however they ended (`afterany`), and names every report: a task that was
  /// killed leaves a report that is cut off, or none, and the whole is an error.
  public static func slurm(_ fleet: FleetPlan) -> RunnerFolder {
    RunnerFolder(
      files: [
        File(
          path: "shards.sbatch",
          text: """
            #!/bin/sh
            #SBATCH --job-name=repro
            #SBATCH --array=1-\(fleet.shards)
            #SBATCH --nodes=1
            #SBATCH --exclusive
            #SBATCH --time=\(fleet.minutes)
            #SBATCH --output=logs/shard-%a.log
            # A node to itself: trials change settings of the whole machine.
            i=$SLURM_ARRAY_TASK_ID
            exec ./\(FleetPlan.executable) \(fleet.words("\"$i\"")) > "\(FleetPlan.report("$i"))"

            """),
        File(
          path: "merge.sbatch",
          text: """
            #!/bin/sh
            #SBATCH --job-name=repro-merge
            #SBATCH --nodes=1
            #SBATCH --time=30
            #SBATCH --output=logs/merge.log
            # Exits as the verdict of all shards: 0 clean, 1 corrupt, 2 error, 3 inconclusive, 4 skipped.
            exec \(fleet.merge) > merged.txt

            """),
        File(
          path: "submit",
          text: """
            #!/bin/sh -e
            # Submits shards and merge, and prints the merge's job id. Options go to its sbatch: with --wait this
            # waits, and exits as the verdict.
            cd "$(dirname "$0")"
            # A report of an earlier submission must not stand in for a shard that never ran.
            rm -rf reports merged.jsonl merged.txt
            mkdir -p reports logs
            shards=$(sbatch --parsable shards.sbatch)
            exec sbatch --parsable --dependency="afterany:${shards%%;*}" "$@" merge.sbatch

            """, isProgram: true),
      ], executable: FleetPlan.executable)
  }
}
