public import Repro

/// What runs of the suite and of exported programs say of the catalogue's bugs, for `fixtures/measured.txt`.
public struct MeasuredRuns: Sendable {
  /// One line a bug and case.
  public private(set) var measurements: [Measurement] = []
  /// What was not taken, with why: above all losses that the catalogue does not have, and losses that did not
  /// come.
  public private(set) var refused: [String] = []
  private let catalogue: Catalogue

  /// Nothing yet.
  public init(_ catalogue: Catalogue = .standard) { self.catalogue = catalogue }

  /// Takes in a run.
  public mutating func add(_ run: [Event]) {
    guard case .run(let start)? = run.first else {
      refused.append("a run that did not begin")
      return
    }
    let place = "\(start.release) \(start.machine)"
    guard let version = start.kernelVersion, version.patch != nil else {
      refused.append("\(place): which stable release that is can't be told")
      return
    }
    let machine = Architecture.all.first {
      $0.machine == start.machine && $0.pageSize == start.pageSize
        && (start.byteOrder ?? $0.byteOrder) == $0.byteOrder
    }
    guard let machine else {
      refused.append("\(place): no record of architectures.txt is for it with \(start.pageSize)-byte pages")
      return
    }
    for case .end(let end) in run where end.verdict == .error {
      refused.append("\(place): the run is an error: \(end.reason ?? "it broke")")
      return
    }
    for case .result(let result) in run { add(result, version, machine) }
  }

  private mutating func add(_ result: CaseResult, _ version: KernelVersion, _ machine: Architecture) {
    // Generated pairs have the bugs of their members, and are no record's own.
    guard result.role == .hazard, let path = result.path, [.corrupt, .clean].contains(result.verdict),
      Scenario.all.contains(where: { $0.name == result.case.scenario })
    else { return }
    let known = catalogue.bugs(result.case, path)
    let present = known.filter { $0.affects(version) == true }
    let isLost = result.verdict == .corrupt
    let name = "\(result.case) on \(machine.name) \(version)"
    if isLost, present.isEmpty || result.count.unexplained > 0 {
      refused.append("\(name): a loss that the catalogue does not have")
      return
    }
    if !isLost, !present.isEmpty {
      refused.append("\(name): nothing was lost, and \(present.map(\.id).joined(separator: ", ")) is to lose")
      return
    }
    for bug in isLost ? present : known where bug.affects(version) != nil {
      measurements.append(
        Measurement(
          bug: bug.id, case: result.case, version: version, architecture: machine.name,
          pageSize: machine.pageSize, lost: result.count.lostTrials, exposed: result.count.exposedTrials))
    }
  }
}
