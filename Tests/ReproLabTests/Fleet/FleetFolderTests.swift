import Foundation
import TestHost
import Testing

@testable import Repro
@testable import ReproLab

@Suite("Folders for fleets")
struct FleetFolderTests {
  private static func fleet(_ shards: Int) throws -> FleetPlan {
    var plan = ShardReports.plan()
    plan.selection.targets = [TargetSpec(.scratch, path: "/mnt/it's a disk/x")]
    plan.selection.schedules = []
    return try FleetPlan(plan, shards: shards, merger: "/usr/local/bin/repro")
  }

  private static func text(_ folder: RunnerFolder, _ path: String) throws -> String {
    try #require(folder.files.first { $0.path == path }).text
  }

  /// What a shell makes of a shard's words is that shard's plan.
  @Test("give each shard its share of one plan", arguments: [1, 3])
  func words(shards: Int) throws {
    let fleet = try Self.fleet(shards)
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", "for i in 1 2 3; do printf '%s\\n' \(fleet.words("\"$i\"")); echo; done"]
    process.standardOutput = output
    try process.run()
    let said = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    for (index, part) in said.components(separatedBy: "\n\n").prefix(shards).enumerated() {
      let lines = part.split(separator: "\n").filter { $0 != "format=jsonl" }
      var due = fleet.plan
      due.selection.shard = Shard(index + 1, of: shards)
      #expect(try Plan(text: lines.joined(separator: "\n")) == due)
    }
  }

  @Test("have a merge that names every shard, after all of them")
  func merge() throws {
    let folder = RunnerFolder.slurm(try Self.fleet(3))
    let merge = try Self.text(folder, "merge.sbatch")
    for shard in 1...3 { #expect(merge.contains("reports/shard-\(shard).jsonl")) }
    #expect(try Self.text(folder, "submit").contains("afterany:"))
    #expect(try Self.text(folder, "shards.sbatch").contains("--array=1-3\n"))
  }

  @Test("are not made for more shards than cases")
  func tooMany() throws {
    #expect(throws: PlanError.self) { try Self.fleet(1000) }
  }

  /// LAVA's own schema, from Debian's package lava-common.
  @Test(
    "hold job definitions that LAVA takes",
    .enabled(
      if: ProcessInfo.processInfo.environment["REPRO_LAVA"] != nil, "REPRO_LAVA is set by ./run.sh test"))
  func lava() throws {
    let options = LAVAOptions(deviceType: "qemu", url: "http://lab.example/repro/")
    let folder = RunnerFolder.lava(try Self.fleet(2), options)
    for shard in 1...2 {
      let job = try Self.text(folder, "shard-\(shard).yaml")
      #expect(try Self.validate(job) == "repro shard \(shard) of 2\n")
      // The schema is asked: what it must refuse, it does.
      #expect(throws: Python.Refused.self) {
        try Self.validate(job.replacing("to: tmpfs", with: "to: nowhere"))
      }
      #expect(throws: Python.Refused.self) {
        try Self.validate(job.replacing("from: inline", with: "from: outside"))
      }
    }
  }

  private static func validate(_ job: String) throws -> String {
    let library = ProcessInfo.processInfo.environment["REPRO_LAVA"] ?? ""
    return try Python.read(
      job,
      with: """
        import sys; sys.path.insert(0, \(JSONText.quote(library)))
        import yaml; from lava_common.schemas import validate
        job = yaml.safe_load(open(sys.argv[1])); validate(job); print(job["job_name"])
        """)
  }

  /// A log as lavacli prints one: the script gets the reports out of it and merges them.
  @Test("get reports out of LAVA's logs")
  func collect() throws {
    let reports = try ShardReports()
    let folder = reports.folder
    _ = try reports.write(shards: 2)
    for shard in 1...2 {
      let report = Data(try folder.read("\(shard)-2.jsonl").utf8).base64EncodedString(
        options: .lineLength76Characters)
      let lines = report.split(whereSeparator: \.isNewline).map {
        "- {\"dt\": \"2026-01-01\", \"lvl\": \"target\", \"msg\": \"repro-report:\($0)\"}\n"
      }
      try folder.write("- {\"lvl\": \"info\", \"msg\": \"start\"}\n" + lines.joined(), to: "log-\(shard)")
    }
    let merged =
      "printf '%s\\n' \"$@\" > \(folder("merged"))\nwc -c reports/* | tail -1 >> \(folder("merged"))\n"
    try ProgramFile.write("#!/bin/sh\ncat \(folder.path)/log-$5\n", to: folder("lavacli"))
    try ProgramFile.write("#!/bin/sh\n\(merged)", to: folder("merger"))
    let fleet = try FleetPlan(ShardReports.plan(), shards: 2, merger: folder("merger"))
    let script = try Self.text(.lava(fleet, LAVAOptions(deviceType: "qemu", url: "http://x")), "collect")
    try ProgramFile.write(script, to: folder("collect"))
    _ = try Python.run(["/bin/sh", "-c", "LAVACLI=\(folder("lavacli")) \(folder("collect")) 1 2"])
    for shard in 1...2 {
      #expect(try folder.read("reports/shard-\(shard).jsonl") == (try folder.read("\(shard)-2.jsonl")))
    }
    #expect(
      try folder.read("merged").hasPrefix(
        "merge\n-o\nmerged.jsonl\nreports/shard-1.jsonl\nreports/shard-2.jsonl\n"))
  }
}
