import CKernel
import SystemPackage

/// The staged schedule: the scenario's steps, one after the other, with the I/O held in flight while the
/// hazard and the toucher act, so that one trial decides. With ``Step/held(_:hazards:)``:
/// ```
///  I/O thread            target               hazard                toucher
///  read(buf) ----------> request: held
///                                             act on buf's page
///                                                                   store to buf's last bytes
///                        release
///  <-------------------- answer
///  (verify)                                   settle   (verify again)
/// ```
final class Staged {
  private let bench: Bench
  /// Reads once more, for the toucher that does.
  private let second: SecondReader?
  /// Stores from another CPU, for the toucher that does.
  private let remote: RemoteStorer?

  /// Bytes that the CPU stores to at the end of a page.
  static let touchLength = 64

  /// - Parameter patience: nanoseconds that any wait for the kernel may take.
  init(
    _ one: Case, _ target: any Target, depth: Int, shape: Shape = Shape(), pattern: Pattern,
    patience: Nanoseconds,
    makeEngine: @escaping @Sendable (Int) throws(KernelError) -> any Engine
  ) throws {
    bench = try Bench(
      one, target, depth: depth, length: shape.pieceLength(alignment: target.alignment),
      touchLength: Self.touchLength, shape: shape, pattern: pattern, patience: patience,
      makeEngine: makeEngine)
    let toucher = one.scenario.steps.toucher
    do throws(KernelError) {
      second = toucher == .secondRead ? try SecondReader(target) : nil
      remote = toucher == .remoteStore ? try RemoteStorer() : nil
    } catch {
      bench.close()
      throw error
    }
  }

  private var scenario: Scenario { bench.scenario }
  private var buffer: Buffer { bench.buffer }
  private var target: any Target { bench.target }
  private var hazards: [any Hazard] { bench.hazards }
  private var io: IOThread { bench.io }
  private var judge: Judge { bench.judge }
  private var patience: Nanoseconds { bench.patience }
  private var timeline: Timeline { bench.timeline }

  func close() {
    remote?.stop()
    second?.stop()
    bench.close()
    if second?.isIdle == false { buffer.leak() }
  }

  /// See ``Bench/end(after:)``.
  func end(after trials: Int) throws -> TrialRecord? { try bench.end(after: trials) }

  /// Runs trial `number`.
  /// - Throws: KernelError or TrialError; then nothing is known of the kernel.
  func run(_ number: Int) throws -> TrialRecord {
    do {
      return try stage(number)
    } catch {
      // Whatever broke, the I/O thread must come back before the next trial.
      try? target.hold?.release()
      _ = remote?.fire(timeout: patience)
      if io.finish(timeout: patience) != nil { bench.detach() }
      throw error
    }
  }

  private func stage(_ number: Int) throws -> TrialRecord {
    let setup = try bench.setUp(number)
    let pages = setup.pages
    let transfer = target.hold?.extend(setup.transfer, isBuffered: buffer.isBuffered) ?? setup.transfer
    var isSettled = false
    defer { if !isSettled { for hazard in hazards { _ = try? hazard.settle(pages) } } }

    var facts = Judge.Facts()
    facts.observations = [Observation](repeating: Observation(), count: buffer.depth)
    // As late as can be: a CPU that spins is one that a guest's other CPUs may have to wait for.
    var unarmed = remote
    func arm() {
      unarmed?.arm(places, words(setup))
      unarmed = nil
    }
    for step in scenario.steps {
      switch step {
      case .attach:
        try bench.attach()
        if scenario.steps.actsBeforeIssue { try observe(pages, &facts, \.arrival) }
      case .issue:
        target.hold?.arm(setup.transfer, timeline)
        io.start(transfer, timeline)
        if target.hold != nil, !awaitHeld() { throw abandon(transfer) }
        if let hold = target.hold, hold.hasBytes { throw TrialError.readEarly }
        if target.hold != nil, !judge.isUntouched(setup) { throw TrialError.letGo }
        try observe(pages, &facts, scenario.steps.actsBeforeIssue ? \.taken : \.arrival)
      case .hazard(let index):
        arm()
        let outcomes = try hazards[index].act(pages)
        timeline.mark(.hazard, outcomes.first?.text ?? "")
        facts.outcomes.append(outcomes)
        try observe(pages, &facts, \.hazarded)
      case .touch(let toucher):
        arm()
        try touch(toucher, setup, &facts)
        try observe(pages, &facts, \.touched)
      case .release:
        try target.hold?.release()
      case .reap:
        guard let completion = io.finish(timeout: patience) else {
          target.hold?.abort()
          throw TrialError.hung
        }
        try completion.requireAll(of: transfer)
        try observe(pages, &facts, \.end)
      }
    }
    let touched = touched(setup)
    var findings = judge.look(setup, .first, touched)
    if findings.pages.isEmpty { try judge.requireWay(setup) }
    findings.add(try judge.lookOnTarget(setup) { [self.buffer.store(setup, page: $0)] })
    bench.detach()  // so that the late look finds pages that nobody holds any more
    isSettled = true
    findings.add(try secondLook(setup, touched, after: findings))

    if buffer.direction == .read, findings.pages.isEmpty {
      findings.add(try lateLooks(setup, touched, &facts))
    }
    try facts.retry(hazards, pages)
    return try judge.record(setup, hazards, facts, findings)
  }

  /// After reclaim, and in the first trials after one more fork.
  private func lateLooks(
    _ setup: Buffer.Setup, _ touched: Judge.Touched, _ facts: inout Judge.Facts
  ) throws(KernelError) -> Judge.Findings {
    var findings = Judge.Findings()
    facts.reclaimed = try buffer.memory.reclaim(setup.pages)
    findings.add(judge.afterReclaim(judge.look(setup, .late, touched), facts.reclaimed))
    LateLook.restore(setup.pages)
    guard setup.number < LateLook.forks, findings.pages.isEmpty else { return findings }
    return try LateLook.fork(setup.pages) { views in
      var found = judge.look(setup, .late, touched)
      found.add(judge.look(setup, .late, touched, in: views))
      return judge.afterFork(found)
    }
  }

  private func observe(
    _ pages: PagesUnderIO, _ facts: inout Judge.Facts,
    _ moment: WritableKeyPath<Observation, PageMapEntry?>
  ) throws(KernelError) {
    for (index, entry) in try pages.entries().enumerated() {
      facts.observations[index][keyPath: moment] = entry
    }
  }

  /// Waits until the I/O is held.
  /// - Returns: false when it came back instead, or did neither in time.
  private func awaitHeld() -> Bool {
    guard let hold = target.hold else { return true }
    let deadline = Clock.now + patience
    while !hold.arrived(timeout: Clock.milliseconds(20)) {
      if io.finish(timeout: 0) != nil || Clock.now > deadline { return false }
    }
    return io.awaitSubmission(timeout: patience)
  }

  // MARK: Touching

  private func touch(_ toucher: Toucher, _ setup: Buffer.Setup, _ facts: inout Judge.Facts) throws {
    switch toucher {
    case .none, .childStore: break
    case .store, .vmWrite, .memWrite:
      var faults = ck_thread_faults()
      for page in 0..<buffer.depth {
        try store(buffer.store(setup, page: page), to: buffer.piece(page), as: toucher)
        let now = ck_thread_faults()
        facts.observations[page].faults = now - faults
        faults = now
      }
      let touch = buffer.layout.touch
      let means = toucher == .store ? "stored" : toucher.rawValue
      timeline.mark(.store, "\(means) to bytes \(touch.lowerBound)..<\(touch.upperBound)")
    case .remoteStore:
      guard let faults = remote?.fire(timeout: patience) else { throw TrialError.hung }
      for (page, count) in faults.enumerated() { facts.observations[page].faults = count }
      timeline.mark(.store, "stored from another CPU")
    case .secondRead:
      try second?.read(setup.second, timeline, patience: patience)
    }
  }

  /// Stores to the page while the I/O is in flight: the store that triggers copy-on-write.
  private func store(
    _ stamp: Stamp, to piece: UnsafeMutableRawPointer, as toucher: Toucher
  ) throws(KernelError) {
    let range = buffer.layout.touch
    if toucher != .store {
      let words = stride(from: range.lowerBound, to: range.upperBound, by: 8).map {
        buffer.pattern.word(stamp, at: $0)
      }
      try check(
        ck_poke(toucher == .memWrite ? 1 : 0, piece + range.lowerBound, words, range.count), toucher.rawValue)
      return
    }
    for offset in stride(from: buffer.layout.touch.lowerBound, to: buffer.layout.touch.upperBound, by: 8) {
      ck_store64(piece + offset, buffer.pattern.word(stamp, at: offset))
    }
  }

  /// Where each page is touched, and with what.
  private var places: [UnsafeMutableRawPointer] {
    (0..<buffer.depth).map { buffer.piece($0) + buffer.layout.touch.lowerBound }
  }

  private func words(_ setup: Buffer.Setup) -> [[UInt64]] {
    (0..<buffer.depth).map { page in
      let stamp = buffer.store(setup, page: page)
      return stride(from: buffer.layout.touch.lowerBound, to: buffer.layout.touch.upperBound, by: 8).map {
        buffer.pattern.word(stamp, at: $0)
      }
    }
  }

  private func touched(_ setup: Buffer.Setup) -> Judge.Touched {
    let stamps = (0..<buffer.depth).map { Optional(buffer.store(setup, page: $0)) }
    return Judge.Touched(words: [(buffer.layout.touch, stamps)])
  }

  /// Undoes the hazards and looks again; only what the first look did not see is new.
  private func secondLook(
    _ setup: Buffer.Setup, _ touched: Judge.Touched, after first: Judge.Findings
  ) throws(KernelError) -> Judge.Findings {
    var views: [View] = []
    for hazard in hazards.reversed() { views += try hazard.settle(setup.pages) }
    var found = Judge.Findings()
    found.add(judge.damage(setup, in: views))
    found.add(judge.new(judge.look(setup, .second, touched), after: first, hazards))
    return found
  }

  /// Gets the I/O thread back after its request did not arrive.
  private func abandon(_ transfer: Transfer) -> any Error {
    target.hold?.abort()
    guard let completion = io.finish(timeout: patience) else { return TrialError.hung }
    do {
      try completion.requireAll(of: transfer)
    } catch {
      return error
    }
    return TrialError.notHeld
  }
}
