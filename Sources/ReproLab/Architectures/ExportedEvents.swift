import Repro

/// Makes one run's events of those of exported programs, each of which tells of a run of its own with one case.
///
/// What only the host knows it adds: the whole list of cases, the catalogue's names for losses, and bounds.
struct ExportedEvents: Sendable {
  private let plan: Plan
  private let cases: [CaseName]
  private let leftOut: [(case: CaseName, reason: String)]
  private var version: KernelVersion?
  private var hasStarted = false
  private var told: Set<String> = []

  init(_ plan: Plan, _ programs: ExportedPrograms) {
    self.plan = plan
    cases = programs.cases.map(\.name)
    leftOut = programs.leftOut
  }

  /// What becomes of one event: nothing, or some.
  mutating func events(for event: Event) -> [Event] {
    switch event {
    case .run(var start):
      guard !hasStarted else { return [] }
      hasStarted = true
      version = start.kernelVersion
      start.plan = plan
      start.cases = cases
      return [.run(start)]
        + leftOut.map { .note(Note("left out: \($0.case): \($0.reason)")) }
        + [.note(Note(Self.limits))]
    case .control(let control):
      // Each program has run the controls of its lane; the first of a lane is shown, and what failed.
      return told.insert(control.lane).inserted || !control.isSound ? [event] : []
    case .result(var result):
      if result.verdict == .corrupt, let version, let path = result.path,
        result.count.unexplained < result.count.lostTrials
      {
        result.bugs = Catalogue.standard.bugs(result.case, path)
          .filter { $0.affects(version) != false }.map(\.id)
      }
      result.bound(confidence: plan.confidence)
      return [.result(result)]
    // A program's end is not the run's.
    case .end: return []
    case .note, .trial: return [event]
    }
  }

  /// What emulation can't show.
  static let limits =
    "exported programs: page size, byte order and the architecture's page-table code are tested; its memory "
    + "ordering is not, under emulation"
}

extension RunStart {
  /// The kernel that it ran on, as far as it tells.
  var kernelVersion: KernelVersion? {
    KernelVersion(release: release, procVersion: "Linux version \(release) \(build)")
  }
}
