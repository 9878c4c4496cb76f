import CKernel

/// How the cases of a plan are run by several jobs at once, each a worker on CPUs of its own: which of them, and
/// which one after the other with no job beside them.
public struct JobSplit: Sendable {
  /// What runs alone, first, on all CPUs, in the plan's order.
  public let alone: [Case]
  /// What the jobs share: each takes the next as soon as it is free.
  public let shared: [Case]
  /// The CPUs of each job; no two have one in common.
  public let cpus: [[Int]]

  /// The CPUs that this process may run on.
  public static var allowedCPUs: [Int] {
    var cpus = [CInt](repeating: 0, count: 1024)
    let count = ck_list_cpus(&cpus, CInt(cpus.count))
    return cpus.prefix(max(0, Int(count))).map(Int.init)
  }

  /// Splits `cases`.
  /// - Parameters:
  ///   - jobs: how many are wanted; none is made that would have no case.
  ///   - cpus: what they may use together.
  /// - Throws: PlanError, in one line, when these are too few.
  public init(_ cases: [Case], jobs: Int, cpus: [Int] = JobSplit.allowedCPUs) throws(PlanError) {
    let width = cpus.count / jobs
    let races = cases.contains { !$0.runsAlone && $0.schedule != .staged }
    if jobs > 1, width < (races ? 2 : 1) {
      let most = max(1, races ? cpus.count / 2 : cpus.count)
      let staged = races && cpus.count > most ? " (\(cpus.count) with --schedule staged)" : ""
      throw PlanError(
        "--jobs \(jobs): each needs \(races ? "two CPUs to race on" : "a CPU"), and this process has \(cpus.count): "
          + "\(most) at most\(staged)")
    }
    let isAlone = { (one: Case) in one.runsAlone || one.needsTwoCPUs && width < 2 }
    alone = cases.filter(isAlone)
    shared = cases.filter { !isAlone($0) }
    self.cpus = (0..<min(jobs, shared.count)).map { Array(cpus[$0 * width..<($0 + 1) * width]) }
  }
}
