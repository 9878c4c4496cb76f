import TestHost
import Testing

/// What is refused: one line that names the thing and the remedy, exit code 2, and nothing done.
@Suite("repro run: bad input", .serialized, .exclusive)
struct BadInputTests {
  /// Arguments, and what the line must name. `FOLDER` is a new folder that holds a file `precious`.
  private static let table: [(String, String)] = [
    ("run control-none --target /dev/null", "/dev/null: not a file, folder or block device"),
    ("run no-such-scenario", "no scenario 'no-such-scenario'"),
    ("run fork --trials 0", "--trials 0: a whole number above 0"),
    ("run fork --trials x", "--trials"),
    ("run fork --time 0", "--time 0: a number of seconds above 0"),
    ("run fork --time inf", "--time inf: a number of seconds above 0"),
    ("run fork --seed x", "--seed"),
    ("run fork --seed 0x", "--seed"),
    ("run fork --min-exposures 0", "--min-exposures 0: a whole number above 0"),
    ("run fork --stop-after-losses=-1", "--stop-after-losses -1: a whole number above 0"),
    ("run fork --engine x", "--engine x: one of pread, "),
    ("run fork --memory x", "--memory x: one of anon, "),
    ("run fork --depth 0", "--depth 0: a whole number from 1 to 256"),
    ("run fork --depth 257", "--depth 257: a whole number from 1 to 256"),
    ("run fork --time=-1", "--time -1: a number of seconds above 0"),
    ("run fork --schedule x", "--schedule"),
    ("run fork --format x", "--format"),
    ("run fork --exit-codes x", "--exit-codes"),
    ("run fork --no-such-option", "--no-such-option"),
    ("run fork --output /nonexistent/x", "--output /nonexistent/x: No such file or directory"),
    ("run fork --target held --schedule race", "--target held: held holds its I/O, so nothing races"),
    ("run fork --target FOLDER/precious", "precious: exists and would be overwritten"),
    ("run fork --target FOLDER/missing/new", "missing/new: open: No such file or directory"),
    ("run fork --swap-device x", "--swap-device x: zram, file, disk or the path of a block device"),
    ("run fork --swap-device FOLDER/precious", "precious: no block device"),
    ("run fork --swap-device FOLDER/precious --overwrite", "precious: no block device"),
    ("run fork --swap-device FOLDER/missing", "missing: stat: No such file or directory"),
    ("run fork --swap-device disk", "only guests have a disk for swap"),
    ("vm --kernel 6.1 fork --swap-device file", "--swap-device file: a guest has a disk of its own"),
    ("vm --kernel 6.1 fork --swap-device /dev/vdb", "--swap-device /dev/vdb: a guest has a disk of its own"),
    (
      "vm --kernel 6.1 --arch arm64 fork --swap-device zram",
      "--swap-device zram: a guest has a disk of its own"
    ),
    ("matrix fork --swap-device file", "--swap-device file: a guest has a disk of its own"),
    ("explain no-such-scenario", "no scenario 'no-such-scenario'"),
    ("report FOLDER/missing", "missing: no report there"),
    ("report FOLDER/precious", "precious: line 1 is no event of this version"),
    ("report FOLDER/precious --format x", "--format"),
    ("store add --store FOLDER/precious FOLDER/x", "precious: is no store of results"),
    ("store show --store FOLDER/missing", "missing: no store there"),
    (
      "runtest fork -o FOLDER --one-shot FOLDER/missing",
      "missing: the guest's static executable is not there"
    ),
    ("mutants no-such-mutation", "no mutation 'no-such-mutation'"),
    ("mutants --jobs 0", "--jobs 0: a number above 0"),
    ("mutants --report /nonexistent", "--report /nonexistent: cannot be read"),
    ("run fork --jobs 0", "--jobs 0: a whole number above 0"),
    ("run fork --schedule staged --jobs 5000", "--jobs 5000: each needs a CPU, and this process has"),
    ("soak fork --jobs 5000", "--jobs 5000: each needs two CPUs to race on, and this process has"),
    ("run fork --shard 0/3 --seed 1", "--shard 0/3: I/N is needed"),
    ("run fork --shard 1/3", "--shard 1/3: all shards must draw from one seed"),
    ("soak fork --for 0", "--for 0: seconds above 0"),
    ("soak fork --exposures 0", "--exposures 0: a whole number above 0"),
    ("soak fork --shard 1/2 --seed 1", "--shard: a soak has none"),
    ("soak fork --resume --output FOLDER/missing", "missing: No such file or directory; without --resume"),
    ("soak fork --output FOLDER/precious", "precious: File exists; --resume goes on with it"),
    ("soak fork --resume --output FOLDER/precious", "precious: line 1 is no event of this version"),
    ("merge FOLDER/missing", "missing: no report there"),
    ("merge FOLDER/precious", "precious: line 1 is no event of this version"),
    ("fleet plan --shards 0 --format slurm -o FOLDER/x", "--shards 0: a number above 0"),
    ("fleet plan --shards 2 --format lava -o FOLDER/x", "--format lava: --url must say"),
    ("fleet plan fork --shards 9999 --format slurm -o FOLDER/x", "--shards 9999: there are"),
    ("list no-such-scenario", "no scenario 'no-such-scenario'"),
  ]

  /// Those that a bisection script may well get wrong.
  private static let bisected = table.map(\.0).filter { $0.hasPrefix("run") && !$0.contains("exit-codes") }

  /// The arguments with a fresh folder in them, and the check that nothing happened to it.
  private func refused(_ arguments: String, _ extra: [String] = []) throws -> StartedProgram.End {
    let folder = try TemporaryFolder()
    try folder.write("kept", to: "precious")
    let words = arguments.replacing("FOLDER", with: folder.path).split(separator: " ").map(String.init)
    let end = try StartedProgram.run(words + extra)
    #expect(folder.names == ["precious"])
    #expect(try folder.read("precious") == "kept")
    return end
  }

  @Test("is refused in one line", arguments: table)
  func oneLine(arguments: String, text: String) throws {
    let end = try refused(arguments)
    #expect(end.code == 2)
    #expect(end.output == "")
    #expect(end.errors.hasPrefix("repro: error: ") && end.errors.hasSuffix("\n"))
    #expect(end.errorLines.count == 1, "\(end.errors)")
    #expect(end.errors.contains(text), "\(end.errors)")
  }

  @Test(
    "a target in memory is refused in one line", .enabled(if: Machine.hasSharedMemory, "no /dev/shm"),
    arguments: ["", "/new"])
  func tmpfs(name: String) throws {
    let folder = try TemporaryFolder(in: "/dev/shm")
    let end = try StartedProgram.run("run", "fork", "--target", folder.path + name)
    #expect(end.code == 2 && end.output == "" && end.errorLines.count == 1)
    #expect(end.errors.contains("this file system does no direct I/O"))
    #expect(folder.names == [])
  }

  @Test(
    "a bisection is told 125, which does not end it", arguments: bisected,
    [["--exit-codes", "bisect"], ["--exit-codes=bisect"]])
  func bisect(arguments: String, dialect: [String]) throws {
    let end = try refused(arguments, dialect)
    #expect(end.code == 125)
    #expect(end.errorLines.count == 1)
  }

  @Test(
    "a harness error has each dialect's code", arguments: [("ltp", 2), ("kselftest", 1), ("automake", 99)])
  func dialects(dialect: String, code: Int32) throws {
    let end = try StartedProgram.run("run", "fork", "--target", "/dev/null", "--exit-codes", dialect)
    #expect(end.code == code)
  }

  @Test("KTAP readers see the run bail out")
  func bailOut() throws {
    let end = try StartedProgram.run("run", "fork", "--target", "/dev/null", "--format", "ktap")
    #expect(end.output.hasPrefix("Bail out! /dev/null: "))
  }

  @Test("help is no error", arguments: [["--help"], ["run", "--help"], ["--version"], ["help", "run"]])
  func help(arguments: [String]) throws {
    let end = try StartedProgram.run(arguments)
    #expect(end.code == 0 && end.errors == "" && !end.output.isEmpty)
  }
}
