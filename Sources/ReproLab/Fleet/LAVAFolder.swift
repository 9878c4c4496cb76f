import Repro

/// What LAVA's jobs are given beside the plan.
public struct LAVAOptions: Sendable {
  /// The device type that the jobs are for.
  public var deviceType: String
  /// Where kernel, `rootfs.ext4` and the static executable are served, without a slash at the end.
  public var url: String

  /// Options; `url` may end with a slash.
  public init(deviceType: String, url: String) {
    self.deviceType = deviceType
    self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
  }
}

extension RunnerFolder {
  /// A folder for LAVA: a job definition a shard, for a QEMU device, and a script that gets the reports from the
  /// jobs' logs and merges them. What of a log is missing or mixed up makes the whole an error.
  public static func lava(_ fleet: FleetPlan, _ options: LAVAOptions) -> RunnerFolder {
    let jobs = (1...fleet.shards).map { shard in
      File(path: "shard-\(shard).yaml", text: job(fleet, shard, options))
    }
    let collect = File(
      path: "collect",
      text: """
        #!/bin/sh -e
        # collect JOB...: the ids of the jobs, in the order of their shards. Exits as the verdict of all.
        cd "$(dirname "$0")"
        rm -rf reports merged.jsonl
        mkdir reports
        i=0
        for job; do
          i=$((i + 1))
          "${LAVACLI:-lavacli}" jobs logs --no-follow --raw "$job" \\
            | sed -n 's|.*repro-report:\\([A-Za-z0-9+/=]*\\).*|\\1|p' | base64 -d > "reports/shard-$i.jsonl" || true
        done
        exec \(fleet.merge)

        """, isProgram: true)
    return RunnerFolder(files: jobs + [collect], executable: FleetPlan.executable)
  }

  private static func job(_ fleet: FleetPlan, _ shard: Int, _ options: LAVAOptions) -> String {
    let executable = FleetPlan.executable
    let steps = [
      "wget -q -O \(executable) \(options.url)/\(executable)",
      "chmod +x \(executable)",
      "./\(executable) \(fleet.words("\(shard)")) > report.jsonl; echo $? > code",
      // Base64 has nothing that a log's quoting changes; the mark must not be found in this line itself.
      #"base64 -w 512 report.jsonl | sed "s/^/repro-""report:/""#,
      "lava-test-case shard-\(shard)-of-\(fleet.shards) --shell 'exit $(cat code)'",
    ]
    return """
      # Shard \(shard) of \(fleet.shards).
      job_name: repro shard \(shard) of \(fleet.shards)
      device_type: \(JSONText.quote(options.deviceType))
      visibility: public
      priority: medium
      timeouts:
        job:
          minutes: \(fleet.minutes + 20)
        action:
          minutes: 10
        connection:
          minutes: 5
      context:
        arch: amd64
      actions:
        - deploy:
            to: tmpfs
            images:
              kernel:
                url: \(JSONText.quote("\(options.url)/kernel"))
                image_arg: '-kernel {kernel} --append "console=ttyS0 root=/dev/vda rw numa=fake=2"'
              rootfs:
                url: \(JSONText.quote("\(options.url)/rootfs.ext4"))
                image_arg: '-drive file={rootfs},format=raw,if=virtio'
        - boot:
            method: qemu
            media: tmpfs
            prompts: ['root@', '# ']
            auto_login:
              login_prompt: 'login:'
              username: root
        - test:
            timeout:
              minutes: \(fleet.minutes)
            definitions:
              - from: inline
                name: repro
                path: inline/repro.yaml
                repository:
                  metadata:
                    format: Lava-Test Test Definition 1.0
                    name: repro
                    description: Does direct I/O lose data when a page is replaced under it?
                  run:
                    steps:
      \(steps.map { "                - \(JSONText.quote($0))" }.joined(separator: "\n"))

      """
  }
}
