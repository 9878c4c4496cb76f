import Foundation
import Testing

@testable import Repro

@Suite("Plan as text")
struct PlanTextTests {
  private static let engines = EngineKind.all.map(\.name).joined(separator: ", ")
  private static let memories = MemoryKind.all.map(\.name).joined(separator: ", ")

  private static var full: Plan {
    var selection = Selection(scenarios: ["control-none", "fork", "ks*"])
    selection.memories = [.thp, .anon]
    selection.engines = [.libaio, .pread]
    selection.targets = [
      TargetSpec(.heldBlock),
      TargetSpec(.scratch, path: "/mnt/a=b,c:d/file", overwrite: true, isOptional: true),
    ]
    selection.schedules = [.race]
    selection.scratch = TargetSpec(.scratch, path: "/dev/vda", overwrite: true)
    selection.isExhaustive = true
    selection.shard = Shard(2, of: 8)
    selection.cases = [CaseName("ksm.pread.staged"), CaseName("fork.thp.libaio.race")].compactMap(\.self)
    var plan = Plan(selection, seed: Seed(.max))
    plan.depth = 16
    plan.shape = Shape(bytes: 12800, parts: 5)
    plan.trials = 7
    plan.time = 0.1
    plan.minimumExposures = 3
    plan.stopAfterLosses = 1
    plan.confidence = 0.999
    plan.swapPlace = SwapPlace(.device("/dev/vdb"), overwrite: true, isOptional: true)
    plan.patience = 60
    plan.trialNumbers = [4, 0, 17]
    return plan
  }

  private static let small = Plan(Selection(scenarios: ["fork"]), seed: Seed(0))

  @Test("comes back as it went", arguments: [full, small])
  func roundTrip(_ plan: Plan) throws {
    #expect(try Plan(text: plan.text) == plan)
    let json = JSONText.line(plan)
    #expect(try JSONDecoder().decode(Plan.self, from: Data(json.utf8)) == plan, "\(json)")
  }

  @Test("says only what is not a default")
  func sparse() {
    #expect(Self.small.text == "scenarios=fork\nseed=0x0\n")
    #expect(JSONText.line(Self.small) == #"{"scenarios":["fork"],"seed":"0x0"}"#)
  }

  @Test("every setting is in the table once, with help, and reads what it writes")
  func table() throws {
    #expect(Set(PlanKey.all.map(\.name)).count == PlanKey.all.count)
    for key in PlanKey.all {
      #expect(!key.help.isEmpty && !key.help.contains("\n"))
      let values = key.write(Self.full)
      #expect(!values.isEmpty, "\(key.name) is not in the full plan of this test")
      var plan = Plan(Selection(), seed: Seed(1))
      for value in values { #expect(key.read(&plan, value) == nil, "\(key.name)=\(value)") }
      #expect(key.write(plan) == values)
    }
  }

  @Test("what is missing has its default, and the seed is drawn")
  func defaults() throws {
    let (one, other) = (try Plan(text: "\n \t\n"), try Plan(text: ""))
    #expect(one.selection == Selection() && one.trials == nil && one.depth == 1)
    #expect(one.seed != other.seed)
  }

  @Test("lines that begin with # are comments")
  func comments() throws {
    #expect(try Plan(text: "# fork=1\n#\nscenarios=fork\nseed=1").selection.scenarios == ["fork"])
  }

  @Test(
    "a target is a kind with rights and a path, or a path alone",
    arguments: [
      ("held", "held"), ("scratch", "scratch"), ("/mnt/x", "scratch:/mnt/x"), ("x", "scratch:x"),
      ("scratch+overwrite:/dev/sdb", "scratch+overwrite:/dev/sdb"), ("held:", "held:"),
    ])
  func targets(text: String, spec: String) {
    #expect(TargetSpec(parsing: text)?.description == spec)
  }

  @Test(
    "every bad line is named with what it should be",
    arguments: [
      ("fork", "'fork' is not of the form key=value"),
      ("colour=red", "'colour' is no setting of a plan"),
      ("=1", "'' is no setting of a plan"),
      ("scenarios=knife", "no scenario 'knife'; 'repro list' names them all"),
      ("engine=mmap", "engine=mmap: one of \(engines) is needed"),
      (
        "engine=pread,mmap",
        "engine=pread,mmap: one of \(engines) is needed"
      ),
      ("engine=", "engine=: a name is needed"),
      ("memory=disk", "memory=disk: one of \(memories) is needed"),
      ("schedule=never", "schedule=never: one of staged, race, free is needed"),
      ("target=", "target=: a target or a path"),
      ("target=held+write", "target=held+write: a target or a path"),
      ("depth=0", "depth=0: a whole number from 1 to 256 is needed"),
      ("depth=257", "depth=257: a whole number from 1 to 256 is needed"),
      ("trials=0", "trials=0: a whole number above 0 is needed"),
      ("trials=-3", "trials=-3: a whole number above 0 is needed"),
      ("trials=1.5", "trials=1.5: a whole number above 0 is needed"),
      ("min-exposures=x", "min-exposures=x: a whole number above 0 is needed"),
      ("stop-after-losses=", "stop-after-losses=: a whole number above 0 is needed"),
      ("time=0", "time=0: a number of seconds above 0 is needed"),
      ("time=inf", "time=inf: a number of seconds above 0 is needed"),
      ("time=nan", "time=nan: a number of seconds above 0 is needed"),
      ("patience=0", "patience=0: a number of seconds above 0 is needed"),
      ("trial-numbers=", "trial-numbers=: numbers from 0 to 999999999 are needed, separated by commas"),
      (
        "trial-numbers=1,-2",
        "trial-numbers=1,-2: numbers from 0 to 999999999 are needed, separated by commas"
      ),
      ("trial-numbers=1,x", "trial-numbers=1,x: numbers from 0 to 999999999 are needed, separated by commas"),
      ("confidence=1", "confidence=1: a number between 0 and 1 is needed"),
      ("confidence=95%", "confidence=95%: a number between 0 and 1 is needed"),
      ("seed=x", "seed=x: a number, or hex after 0x, is needed"),
      ("all=1", "all=1: yes or no"),
      (
        "trial-numbers=1000000000",
        "trial-numbers=1000000000: numbers from 0 to 999999999 are needed, separated by commas"
      ),
    ])
  func badLine(line: String, message: String) {
    #expect(throws: PlanError(message)) { try Plan(text: "trials=3\n\(line)\nseed=1") }
  }
}
