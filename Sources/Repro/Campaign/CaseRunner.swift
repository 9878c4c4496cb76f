import CKernel

/// Makes an engine of a kind, on the I/O thread; tests put broken ones in its place.
typealias EngineMaker = @Sendable (EngineKind, _ depth: Int) throws(KernelError) -> any Engine

/// Runs the trials of one case: makes what they share, repeats, counts, and gives it all back.
struct CaseRunner {
  let plan: Plan
  let targets: TargetPool
  let makeEngine: EngineMaker

  /// How long any single wait for the kernel may take.
  static let patience = Clock.seconds(10)

  /// Runs trials until `limits` or `afterTrial` end them.
  /// - Parameters:
  ///   - numbers: those of the trials to run; nil for 0, 1, 2, ...
  ///   - afterTrial: called with each trial, told in brief once a race has many losses; ends the case early by
  ///     returning false.
  /// - Throws: TargetError, KernelError, TrialError; then nothing is known of the kernel.
  func run(
    _ one: Case, _ limits: CaseLimits, numbers: [Int]? = nil, depth: Int? = nil,
    afterTrial: (TrialRecord, CaseCount) -> Bool
  ) throws -> CaseCount {
    ck_hide_heap()
    let target = try targets.open(one.target)
    defer { targets.close(target) }
    switch one.schedule {
    case .staged:
      try target.prepareHold()
      return try runStaged(one, target, limits, numbers, depth ?? plan.depth, afterTrial)
    case .race: return try runRace(one, target, limits, numbers, depth ?? plan.depth, afterTrial)
    case .free:
      let free = try Free(
        one, target, pattern: pattern, seed: plan.seed.value, patience: Self.patience, makeEngine: engine(one)
      )
      defer { free.close() }
      return try repeated(limits, nil, afterTrial, end: free.end) { _, isBrief in
        let record = try free.next()
        return isBrief ? record.inBrief : record
      }
    }
  }

  private func runStaged(
    _ one: Case, _ target: any Target, _ limits: CaseLimits, _ numbers: [Int]?, _ depth: Int,
    _ afterTrial: (TrialRecord, CaseCount) -> Bool
  ) throws -> CaseCount {
    // One CPU for all threads of the trial: a page that waits in another CPU's list of pages to
    // be put on the LRU can be neither reclaimed nor migrated, and a held I/O gains nothing by two.
    try check(ck_stay_on_cpu(), "sched_setaffinity")
    defer { _ = ck_leave_cpu() }
    let staged = try Staged(
      one, target, depth: depth, shape: shape(one, target, depth), pattern: pattern,
      patience: Self.patience, makeEngine: engine(one))
    defer { staged.close() }
    return try repeated(limits, numbers, afterTrial, end: staged.end) { number, _ in try staged.run(number) }
  }

  private func runRace(
    _ one: Case, _ target: any Target, _ limits: CaseLimits, _ numbers: [Int]?, _ depth: Int,
    _ afterTrial: (TrialRecord, CaseCount) -> Bool
  ) throws -> CaseCount {
    let shape = try shape(one, target, depth)
    let fixed = shape.bytes.map { _ in shape.pieceLength(alignment: target.alignment) }
    let longest = max(kernelPageSize, ScratchFile.longestTransfer / depth / kernelPageSize * kernelPageSize)
    let lengths = fixed.map { $0...$0 } ?? kernelPageSize...longest
    let race = try SteeredRace(one, seed: plan.seed.value, lengths) { length in
      try Bench(
        one, target, depth: depth, length: length, touchLength: Race.touchLength, shape: shape,
        pattern: pattern, patience: Self.patience, makeEngine: engine(one))
    }
    defer { race.close() }
    return try repeated(limits, numbers, afterTrial, end: race.end) { try race.run($0, isBrief: $1) }
  }

  /// The plan's shape, where memory and target have room for it.
  private func shape(_ one: Case, _ target: any Target, _ depth: Int) throws(TargetError) -> Shape {
    let length = plan.shape.pieceLength(alignment: target.alignment)
    let pages = depth * (length / kernelPageSize + plan.shape.parts - 1)
    if one.schedule == .staged, pages > Self.pagesInRequest {
      throw .missing(
        "a request that is held has \(Self.pagesInRequest) pages at most, not \(pages): fewer --bytes, --parts or "
          + "--depth, or --schedule race")
    }
    if length > Shape.longest, one.memory.maximumDepth < Self.pagesInRequest {
      throw .missing("\(one.memory.name) has no room for \(length) bytes a piece: fewer --bytes")
    }
    return plan.shape
  }

  /// FUSE_MAX_MAX_PAGES of kernels before 6.13, and BIO_MAX_VECS.
  private static let pagesInRequest = 256

  private var pattern: Pattern { Pattern(seed: plan.seed.value) }

  private func engine(_ one: Case) -> @Sendable (Int) throws(KernelError) -> any Engine {
    let (make, kind) = (makeEngine, one.engine)
    return { depth throws(KernelError) in try make(kind, depth) }
  }

  /// - Parameter end: ends what the trials share, and gives the record of a leak, if there is one.
  private func repeated(
    _ limits: CaseLimits, _ numbers: [Int]?, _ afterTrial: (TrialRecord, CaseCount) -> Bool,
    end: (_ trials: Int) throws -> TrialRecord?,
    _ trial: (_ number: Int, _ isBrief: Bool) throws -> TrialRecord
  ) throws -> CaseCount {
    var count = CaseCount()
    let start = Clock.now
    while limits.allowsMore(count) {
      do {
        let isBrief = count.lostTrials >= TrialRecord.lossesInFull
        let record = try trial(numbers.map { $0[count.trials % $0.count] } ?? count.trials, isBrief)
        count.add(record)
        count.seconds = Double(Clock.now - start) / 1e9
        if !afterTrial(record, count) { break }
      } catch let error as TrialError where error.isMiss {
        // The trial says nothing of the kernel, and nothing of the harness either.
        count.trials += 1
        count.missed += 1
        count.evidence = error.description
        count.seconds = Double(Clock.now - start) / 1e9
      }
    }
    if let leak = try end(count.trials) {
      count.add(leak)
      _ = afterTrial(leak, count)
    }
    return count
  }
}

/// The targets of a run: what somebody names is opened once and shared, what holds is made anew for each
/// case.
final class TargetPool {
  private let pattern: Pattern
  private var shared: [(spec: TargetSpec, target: Result<any Target, TargetError>)] = []

  init(pattern: Pattern) { self.pattern = pattern }

  /// Opens all shared targets of `cases`.
  /// - Throws: TargetError for one that somebody named and that can't be used.
  func openShared(_ cases: [Case]) throws(TargetError) {
    for one in cases where one.target.kind.takesPath {
      if shared.contains(where: { $0.spec == one.target }) { continue }
      do throws(TargetError) {
        shared.append((one.target, .success(try one.target.kind.make(one.target, pattern))))
      } catch {
        if case .missing = error {
          shared.append((one.target, .failure(error)))
        } else {
          throw error
        }
      }
    }
  }

  func open(_ spec: TargetSpec) throws(TargetError) -> any Target {
    if let found = shared.first(where: { $0.spec == spec }) { return try found.target.get() }
    return try spec.kind.make(spec, pattern)
  }

  /// Closes what ``open(_:)`` gave, unless it is shared.
  func close(_ target: any Target) {
    let isShared = shared.contains { (try? $0.target.get()) === target }
    if !isShared { target.close() }
  }

  /// Name and path of a target that was opened.
  func description(of spec: TargetSpec) -> (name: String, path: IOPath) {
    let found = try? shared.first { $0.spec == spec }?.target.get()
    return (found?.name ?? spec.kind.name, found?.path ?? spec.kind.path ?? .block)
  }

  func closeShared() {
    for (_, target) in shared { try? target.get().close() }
    shared = []
  }
}
