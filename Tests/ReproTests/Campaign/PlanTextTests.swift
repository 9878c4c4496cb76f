import Testing

@testable import Repro

@Suite("Plan as text")
struct PlanTextTests {
  private static var full: Plan {
    var plan = Plan(scenarios: ["control-none", "fork", "ksm"], seed: Seed(.max))
    plan.engines = [.libaio, .pread]
    plan.schedules = [.race]
    plan.target = "/mnt/a=b/file"
    plan.isTargetOptional = true
    plan.overwrite = true
    plan.trials = 7
    plan.time = 0.1
    plan.minimumExposures = 3
    plan.stopAfterLosses = 1
    plan.confidence = 0.999
    plan.swapDevice = "/dev/vdb"
    plan.patience = 60
    plan.trialNumbers = [4, 0, 17]
    return plan
  }

  @Test("comes back as it went", arguments: [full, Plan(scenarios: ["fork"], seed: Seed(0))])
  func roundTrip(_ plan: Plan) throws {
    #expect(try Plan(text: plan.text) == plan)
  }

  @Test("says only what is not a default")
  func sparse() {
    #expect(
      Plan(scenarios: ["fork"], seed: Seed(255)).text == """
        scenarios=fork
        engines=pread,preadv2,libaio
        schedules=staged,race
        seed=0xff
        confidence=0.95

        """)
  }

  @Test("what is missing has its default, and the seed is drawn")
  func defaults() throws {
    let (one, other) = (try Plan(text: "\n \t\n"), try Plan(text: ""))
    #expect(one.scenarios == Scenario.standard.map(\.name))
    #expect(one.engines == EngineKind.allCases && one.schedules == Schedule.allCases)
    #expect(one.trials == nil && one.target == nil && !one.overwrite)
    #expect(one.seed != other.seed)
  }

  @Test("lines that begin with # are comments")
  func comments() throws {
    #expect(try Plan(text: "# fork=1\n#\nscenarios=fork\nseed=1").scenarios == ["fork"])
  }

  @Test("scenarios may be globs")
  func globs() throws {
    #expect(try Plan(text: "scenarios=ks*,control-none").scenarios == ["control-none", "ksm", "ksm-write"])
  }

  @Test(
    "every bad line is named with what it should be",
    arguments: [
      ("fork", "'fork' is not of the form key=value"),
      ("colour=red", "'colour' is no setting of a plan"),
      ("=1", "'' is no setting of a plan"),
      ("scenarios=knife", "no scenario 'knife'; 'repro list' names them all"),
      ("engines=mmap", "engines=mmap: one of pread, preadv2, libaio is needed"),
      ("engines=pread,mmap", "engines=mmap: one of pread, preadv2, libaio is needed"),
      ("engines=", "engines= names nothing"),
      ("schedules=never", "schedules=never: one of staged, race is needed"),
      ("trials=0", "trials=0: a whole number above 0 is needed"),
      ("trials=-3", "trials=-3: a whole number above 0 is needed"),
      ("trials=1.5", "trials=1.5: a whole number above 0 is needed"),
      ("minimum-exposures=x", "minimum-exposures=x: a whole number above 0 is needed"),
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
      ("overwrite=true", "overwrite=true: yes or no is needed"),
      ("target-optional=1", "target-optional=1: yes or no is needed"),
    ])
  func badLine(line: String, message: String) {
    #expect(throws: PlanError(message)) { try Plan(text: "trials=3\n\(line)\nseed=1") }
  }
}
