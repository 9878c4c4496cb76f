/// One way to ask the kernel whether a page stays behind its address while I/O is in flight.
public struct Scenario: Sendable {
  /// Unique, without `.`, `#` or white space.
  public let name: String
  /// One line.
  public let summary: String
  /// Reads can lose; writes are the negative control.
  public let direction: Direction
  /// The interleaving that loses data, one column an agent; empty for negative controls.
  public let drawing: String
  /// What must be there for the scenario to mean anything.
  public let needs: [Need]
  /// What is changed on the host while it runs, and put back.
  public let settings: [HostSetting]
  /// Why the race schedule can't run it; nil when it can.
  public let raceObstacle: String?
  /// The hazard in C; nil for what ``CExport`` can't write.
  let cFragment: CFragment?

  let makeHazard: @Sendable (_ pageSize: Int) throws(KernelError) -> any Hazard

  init(
    _ name: String, _ summary: String, direction: Direction = .read, drawing: String = "",
    needs: [Need] = [], settings: [HostSetting] = [], raceObstacle: String? = nil,
    c cFragment: CFragment? = nil,
    hazard: @escaping @Sendable (_ pageSize: Int) throws(KernelError) -> any Hazard
  ) {
    self.name = name
    self.summary = summary
    self.direction = direction
    self.drawing = drawing
    self.needs = needs
    self.settings = settings
    self.raceObstacle = raceObstacle
    self.cFragment = cFragment
    makeHazard = hazard
  }

  /// The same hazard under a direct write, which cannot lose: memory is its source.
  var writeControl: Scenario {
    Scenario(
      "\(name)-write", "negative control: direct write under \(name); the target holds before or after",
      direction: .write, needs: needs, settings: settings, raceObstacle: raceObstacle, hazard: makeHazard)
  }
}
