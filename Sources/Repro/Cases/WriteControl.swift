extension Scenario {
  /// The same hazard under a direct write, which cannot lose by it: memory is its source.
  var writeControl: Scenario { Scenario(writeControlOf: self) }

  private init(writeControlOf scenario: Scenario) {
    name = "\(scenario.name)-write"
    summary = "negative control: direct write under \(scenario.name); the target holds before or after"
    role = .negativeControl
    direction = .write
    steps = scenario.steps
    drawing = ""
    guards = scenario.guards + DirectWrite.guards
    needs = scenario.needs
    settings = scenario.settings
    memory = scenario.memory
    engine = scenario.engine
    // Not the hazard's, but of the stores that go with it: see the record `btrfs-unstable-write`.
    losses = [.unreadable, .copiesDiffer]
    caching = .none
    waitsForTarget = scenario.waitsForTarget
    raceObstacle = scenario.raceObstacle
    isRacedUnasked = false
    pair = []
    c = nil
    agents = []
    isFreeOnly = false
    isLiteral = false
    withoutC = Self.writeWithoutC
    var makers: [HazardMaker] = []
    for make in scenario.makeHazards { makers.append(Self.underWrite(make)) }
    makeHazards = makers
  }

  private static func underWrite(_ make: @escaping HazardMaker) -> HazardMaker {
    { depth throws(KernelError) in
      let hazard = try make(depth)
      return DirectWrite(hazard)
    }
  }
}
