import Foundation
import Repro
import Synchronization

/// A plan run on a kernel in a guest, told as the same events as a run on this machine.
public struct GuestSession: Sendable {
  /// The kernel to run on.
  public var kernel: Kernel
  /// What to do; disks of the guest are filled in.
  public var plan: Plan
  /// The dialect whose rule makes one verdict of many.
  public var exitCodes: ExitCodes
  /// What the guest runs.
  public let payload: Payload
  /// How QEMU runs the guest.
  public var accelerator = Accelerator.tcg
  /// Whether the guest gets only what the plan's cases need, and boots the faster: no swap for late looks, no
  /// virtio port for a handful of trials. A disk that none reads it never has.
  public var isLean = false
  /// How long the guest may take in all; nil for what the plan may need.
  public var timeout: Duration?

  /// The QEMU to use, a name or a path; nil for the architecture's.
  var qemu: String?

  /// A session; nothing happens yet.
  public init(kernel: Kernel, plan: Plan, exitCodes: ExitCodes, oneShot: String) {
    self.init(kernel: kernel, plan: plan, exitCodes: exitCodes, payload: .oneShot(oneShot))
  }

  /// A session of any payload; nothing happens yet.
  public init(kernel: Kernel, plan: Plan, exitCodes: ExitCodes, payload: Payload) {
    self.kernel = kernel
    self.plan = plan
    self.exitCodes = exitCodes
    self.payload = payload
  }

  /// What runs in a guest.
  public enum Payload: Sendable {
    /// The whole suite: this static executable, x86-64, is the guest's `/init`.
    case oneShot(String)
    /// The staged cases of the plan as C programs.
    case exported(Architecture)

    /// The architecture of exported programs; nil for the suite's.
    public var architecture: Architecture? { if case .exported(let one) = self { one } else { nil } }
  }

  /// What came out.
  public struct Outcome: Sendable {
    /// Where it ran, as the guest said; nil if it never got that far.
    public var start: RunStart?
    /// The verdicts of all cases that were reached.
    public var results: [CaseResult]
    /// Cases that lost data and have no verdict: the harness was gone before. Their counts are of the trials seen.
    public var provedLosses: [CaseResult] = []
    /// Trials that lost data in a way that their scenario names, while they were exposed.
    public var exposedLosses = 0
    /// The verdict of the whole.
    public var end: RunEnd
    /// How the guest ended.
    public var guest: GuestReport

    /// Both as one, with the worse of their ends.
    /// - Parameter cases: all of them, in order.
    func joined(with second: Outcome, _ cases: [CaseName], _ exitCodes: ExitCodes) -> Outcome {
      var whole = self
      whole.start = start ?? second.start
      whole.start?.cases = cases
      whole.results += second.results
      whole.provedLosses += second.provedLosses
      whole.exposedLosses += second.exposedLosses
      whole.end = RunEnd(
        verdict: exitCodes.overall([end.verdict, second.end.verdict]),
        reason: end.reason ?? second.end.reason,
        interruptedBy: end.interruptedBy ?? second.end.interruptedBy,
        seconds: end.seconds + second.end.seconds)
      whole.guest = guest.joined(with: second.guest)
      return whole
    }
  }

  /// This session as two, of cases for which one CPU will do, and of those that race or need two; itself where
  /// it is all of one kind, or where names of cases do not say all of them.
  var splitByCPUs: [GuestSession] {
    let cases = cases
    let halves = [false, true].map { two in cases.filter { $0.needsTwoCPUs == two }.map(\.name) }
    let isNamed = plan.selection.targets.allSatisfy { $0.path == nil }
    if payload.architecture != nil || !isNamed || halves.contains(where: \.isEmpty) { return [self] }
    // Once there is a loss the second guest would be for nothing.
    if plan.stopAfterLosses != nil { return [self] }
    return halves.map { part in
      var half = self
      half.plan.selection.cases = part
      half.whole = (guestPlan, cases.map(\.name))
      return half
    }
  }

  /// Of what this is a part: the plan as its guest would have it, and all its cases in order.
  private(set) var whole: (plan: Plan, cases: [CaseName])?

  /// Of a guest that runs it: two emulated processors wait for each other in turn, so it has one where one will do.
  var processors: Int { cases.contains(where: \.needsTwoCPUs) ? 2 : 1 }

  /// Whether any of it is a race, or runs free.
  var isRaced: Bool { cases.contains { $0.schedule != .staged } }

  /// Runs the guest. One whose kernel dies before /init has said anything, as emulated boots do now and then, is
  /// booted once more, now by its own decompressor; what dies twice does not boot.
  /// - Parameter onEvent: gets the guest's events as they come, then the end as the host sees it.
  /// - Throws: LabError for what keeps the guest from being started.
  public func run(onEvent: @escaping @Sendable (Event) -> Void) async throws -> Outcome {
    let seen = Mutex(Seen())
    var (run, merge) = try await prepared()
    let merged = Mutex(merge)
    let onEach: @Sendable (Event) -> Void = { event in
      seen.withLock { $0.take(event) }
      // The host has the last word: it also knows how the guest ended.
      if case .end = event { return }
      onEvent(event)
    }
    let onLine: @Sendable (String) -> Void = { line in
      guard let event = try? JSONDecoder().decode(Event.self, from: Data(line.utf8)) else { return }
      for event in merged.withLock({ $0?.events(for: event) ?? [event] }) { onEach(event) }
    }
    var guest = try await boot(run, onLine)
    if guest.diedUnheard {
      onEvent(
        .note(Note("the guest died before /init said anything (\(guest.ending)); it is booted once more")))
      let seconds = guest.seconds
      run.bootsWhole = true
      guest = try await boot(run, onLine)
      guest.seconds += seconds
    }
    let said = seen.withLock { $0 }
    for warning in guest.warnings {
      onEvent(.note(Note("the guest's kernel warned: \(warning.headline)")))
    }
    let end = end(of: guest, said.results, expected: said.start?.cases.count, said.end)
    onEvent(.end(end))
    return Outcome(
      start: said.start, results: said.results, provedLosses: said.provedLosses,
      exposedLosses: said.exposedLosses, end: end, guest: guest)
  }

  /// Boots the guest. C programs are of no build of ours.
  private func boot(_ run: GuestRun, _ onLine: @escaping @Sendable (String) -> Void) async throws
    -> GuestReport
  {
    guard case .oneShot(let executable) = payload else { return try await run.run(onLine: onLine) }
    return try await BuildCheck(executable).report(run, onLine)
  }

  /// The guest to run, and what makes one run of its events where they are several's.
  private func prepared() async throws -> (GuestRun, ExportedEvents?) {
    let timeout = timeout ?? .seconds(guestPlan.longestSeconds)
    let silence = Duration.seconds(60 + guestPlan.longestCaseSeconds)
    switch payload {
    case .oneShot(let executable):
      var run = GuestRun(
        kernel: kernel, initExecutable: executable, plan: guestPlan.text, modules: modules,
        accelerator: accelerator, timeout: timeout, silence: silence, qemu: qemu ?? "qemu-system-x86_64")
      run.processors = processors
      run.leftOut = leftOut
      run.depth = plan.depth
      run.disks = FileSystemDisk.disks(of: cases, after: GuestRun.ownDisks)
      run.modules += run.disks.flatMap(\.disk.modules)
      return (run, nil)
    case .exported(let architecture):
      let exported = try ExportedPrograms(plan)
      let trials = plan.trials.map { " \($0)" } ?? ""
      var run = GuestRun(
        kernel: kernel, programs: try await exported.compiled(for: architecture),
        arguments: "--json" + trials, for: architecture, modules: modules, accelerator: accelerator,
        timeout: timeout, silence: silence, qemu: qemu)
      run.processors = processors
      return (run, ExportedEvents(plan, exported))
    }
  }

  /// What a guest has said so far.
  struct Seen {
    var start: RunStart?
    var results: [CaseResult] = []
    var exposedLosses = 0
    var end: RunEnd?
    private var trials = SeenTrials()

    mutating func take(_ event: Event) {
      trials.take(event)
      switch event {
      case .run(let start): self.start = start
      case .result(let result): results.append(result)
      case .trial(let trial) where trial.isLoss && trial.isExposure && trial.isExplained: exposedLosses += 1
      case .end(let end): self.end = end
      default: break
      }
    }

    /// ``Outcome/provedLosses``
    var provedLosses: [CaseResult] { trials.lost("the harness was gone before its verdict") }
  }

  /// The plan with the guest's disks in it. A race that nobody gave a target has the scratch disk.
  private var guestPlan: Plan {
    var plan = plan
    plan.selection.scratch = GuestRun.device(.scratch, without: leftOut).map {
      TargetSpec(.scratch, path: $0, overwrite: true, isOptional: true)
    }
    if plan.swapPlace?.kind != .zram {
      let isChosen = plan.swapPlace != nil
      plan.swapPlace = GuestRun.device(.swap, without: leftOut).map {
        SwapPlace(.device($0), overwrite: true, isOptional: !isChosen)
      }
    }
    return plan
  }

  /// What no case of the plan needs. A guest that has any virtio device may as well have the port, and where it is not
  /// lean swap for late looks.
  private var leftOut: Set<GuestRun.Part> {
    guard cases.allSatisfy(\.disks.isEmpty) else { return [] }
    var leftOut: Set<GuestRun.Part> = []
    if !cases.contains(where: { $0.target.kind.takesPath }) { leftOut.insert(.scratch) }
    guard isLean else { return leftOut }
    if !cases.contains(where: { $0.parts.contains { $0.settings.contains { $0.change == .swap } } }) {
      leftOut.insert(.swap)
    }
    if leftOut.count == 2 { leftOut.insert(.port) }
    return leftOut
  }

  private var cases: [Case] { (try? plan.expand().cases) ?? [] }

  /// The lab's own, and the NFS client only where it is used: emulated, it takes a second and a half to load. No
  /// exported program uses it.
  private var modules: [String] {
    let usesNFS =
      payload.architecture == nil && cases.contains { $0.target.kind.name == TargetKind.heldNFS.name }
    var modules = Initramfs.defaultModules + (usesNFS ? Initramfs.nfsModules : [])
    if plan.swapPlace?.kind == .zram { modules += Initramfs.zramModules }
    if leftOut.isSuperset(of: GuestRun.Part.allCases) { modules.removeAll { $0.hasPrefix("virtio_") } }
    let usesLoop = cases.contains { $0.target.kind.needs.contains(.loopDevices) }
    if isLean && !usesLoop { modules.removeAll { $0 == "loop" } }
    return modules
  }

  /// What the host says of a run, who also knows how the guest ended.
  /// - Parameters:
  ///   - expected: the number of cases that the guest announced; nil if it never did.
  ///   - said: the end as the guest told it.
  func end(
    of guest: GuestReport, _ results: [CaseResult], expected: Int?, _ said: RunEnd?
  ) -> RunEnd {
    var end = RunEnd(
      verdict: exitCodes.overall(results.map(\.verdict)), reason: said?.reason, seconds: guest.seconds)
    // Silence about a case is not a clean case.
    var broken = said?.verdict == .error || results.count != expected
    if broken && end.reason == nil, expected == nil, case .oneShot(let executable) = payload {
      end.reason =
        "\(kernel.name): \(executable), the guest's program, never began its run; if it is of another build than "
        + "repro: \(SuiteFingerprint.remedy)"
    }
    if broken && end.reason == nil {
      end.reason = "\(kernel.name): the guest reported \(results.count) of \(expected ?? 0) cases"
    }
    if case .finished = guest.ending {
    } else {
      broken = true
      end.reason = "\(kernel.name): \(guest.ending)" + hint(guest)
    }
    // What was lost before the guest died is still lost.
    if broken && end.verdict != .corrupt { end.verdict = .error }
    return end
  }

  private func hint(_ guest: GuestReport) -> String {
    switch guest.ending {
    case .noBoot: "; \(KernelOptions.text)"
    default: ""
    }
  }
}

/// Where the static executable for guests and one-shots is.
public enum OneShotExecutable {
  /// Its name beside the `repro` executable.
  public static let name = "repro-oneshot"

  /// The path given, or in REPRO_ONESHOT, or beside this executable.
  /// - Throws: LabError when there is none.
  public static func locate(_ path: String? = nil) throws -> String {
    let environment = ProcessInfo.processInfo.environment
    let beside = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent(name).path
    let candidate = path ?? environment["REPRO_ONESHOT"] ?? beside
    guard FileManager.default.isReadableFile(atPath: candidate) else {
      throw LabError(
        "\(candidate): the guest's static executable is not there",
        remedy: "build it with './run.sh build', or name it in REPRO_ONESHOT")
    }
    return candidate
  }
}
