import CKernel
import SystemPackage

/// The staged schedule: the target holds the I/O while the hazard and the store are done, so that
/// one trial decides.
/// ```
///  I/O thread            target               hazard                store
///  read(buf) ----------> request: held
///                                             act on buf's page
///                                                                   store to buf's last bytes
///                        release
///  <-------------------- answer
///  (verify)                                   settle   (verify again)
/// ```
struct StagedTrial {
  let bench: Bench
  let target: any HoldingTarget
  let hazard: any Hazard

  /// Runs trial `number`.
  /// - Throws: KernelError or TrialError; then nothing is known of the kernel.
  func run(_ number: Int) throws -> TrialRecord {
    do {
      return try stage(number)
    } catch {
      // Whatever broke, the I/O thread must come back before the next trial.
      try? target.release()
      _ = bench.io.finish(timeout: bench.patience)
      throw error
    }
  }

  private func stage(_ number: Int) throws -> TrialRecord {
    let setup = try bench.setUp(number)
    let timeline = bench.timeline
    try hazard.prepare(setup.page)
    var isSettled = false
    defer { if !isSettled { _ = try? hazard.settle(setup.page) } }

    target.arm(setup.transfer, timeline)
    bench.io.start(setup.transfer, timeline)
    guard awaitHeld() else { throw abandon(setup.transfer) }

    let frameBefore = bench.frame(setup)
    let outcome = try hazard.act(setup.page)
    timeline.mark(.hazard, outcome.text)
    touch(setup.store)
    timeline.mark(
      .store, "stored to bytes \(bench.layout.store.lowerBound)..<\(bench.layout.store.upperBound)")
    try target.release()

    guard let completion = bench.io.finish(timeout: bench.patience) else {
      target.abort()
      throw TrialError.hung
    }
    try completion.requireAll(of: setup.transfer)
    let frameAfter = bench.frame(setup)
    var damage = bench.look(setup, .first, store: setup.store)
    damage += try bench.lookOnTarget(setup, stores: [setup.store])
    isSettled = true
    damage += try secondLook(setup, after: damage)

    let again = outcome.isApplied ? nil : try hazard.actWithoutIO(setup.page)
    return TrialRecord(
      cell: bench.cell, trial: number,
      isExposure: outcome.isApplied || again?.isApplied == true || !damage.isEmpty,
      hazard: outcome, withoutIO: again, damage: damage, frameBefore: frameBefore, frameAfter: frameAfter,
      offset: setup.transfer.offset, length: setup.transfer.length, timeline: timeline.marks)
  }

  /// Waits until the I/O is held.
  /// - Returns: false when it came back instead, or did neither in time.
  private func awaitHeld() -> Bool {
    let deadline = Clock.now + bench.patience
    while !target.awaitHeld(timeout: Clock.milliseconds(20)) {
      if bench.io.finish(timeout: 0) != nil || Clock.now > deadline { return false }
    }
    return true
  }

  /// Stores to the page while the I/O is in flight: the store that triggers copy-on-write.
  private func touch(_ stamp: Stamp) {
    for offset in stride(from: bench.layout.store.lowerBound, to: bench.layout.store.upperBound, by: 8) {
      ck_store64(bench.arena.base + offset, bench.pattern.word(stamp, at: offset))
    }
  }

  /// Undoes the hazard and looks again; only what the first look did not see is new.
  private func secondLook(
    _ setup: Bench.Setup, after first: [Damage]
  ) throws(KernelError) -> [Damage] {
    let seenByHazard = try hazard.settle(setup.page)
    let second = bench.look(setup, .second, store: setup.store)
    let new = second.filter { late in
      !first.contains { $0.region == late.region && $0.offset == late.offset && $0.length == late.length }
    }
    return seenByHazard + hazard.naming(new)
  }

  /// Gets the I/O thread back after its request did not arrive.
  private func abandon(_ transfer: Transfer) -> any Error {
    target.abort()
    guard let completion = bench.io.finish(timeout: bench.patience) else { return TrialError.hung }
    do {
      try completion.requireAll(of: transfer)
    } catch {
      return error
    }
    return TrialError.notHeld
  }
}
