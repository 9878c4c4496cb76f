import CKernel
import Glibc
import SystemPackage

/// Several workers in place of one: how many, and how one process reads what the others tell.
///
/// Each job is a process, since hazards such as fork act on all memory of one. It runs on CPUs of its own, and
/// takes the next case that is left. Cases that act on the whole machine are run before by one more, alone, which
/// is the only one to change the host. What they tell comes through pipes to a process that writes the report.
public struct Jobs: Sendable {
  /// How many.
  public let count: Int
  private let read: @Sendable (UnsafeRawBufferPointer) -> Event?

  /// - Parameter read: reads an event from its line of JSON; what this library writes, Foundation reads.
  public init(_ count: Int, read: @escaping @Sendable (UnsafeRawBufferPointer) -> Event?) {
    self.count = count
    self.read = read
  }

  /// What is done by whom; for ``Supervisor/run(seconds:_:begun:)``.
  struct Crew {
    /// Who tells, who runs what is alone, and the jobs.
    var works: [() -> Int32]
    /// Closes what only these need.
    var begun: () -> Void
  }

  /// The crew that runs `plan` as `split` says.
  /// - Parameters:
  ///   - notes: for the report's begin.
  ///   - hasEveryTrial: whether the report is told trials that lost nothing.
  ///   - prepare: called first in each process that runs trials.
  ///   - report: gets what makes the report, and gives the exit code.
  func crew(
    _ plan: Plan, _ split: JobSplit, hostState: HostState?, notes: [String], hasEveryTrial: Bool,
    prepare: @escaping () -> Void,
    report: @escaping (_ run: (any Observer, ExitCodes) throws -> RunEnd?) -> Int32
  ) throws(KernelError) -> Crew {
    let order = ((try? plan.expand().cases) ?? []).map(\.name)
    let queue = try CaseQueue(split.shared.count)
    // Nobody writes to it: it ends with the worker that has the other end, and then the jobs begin.
    let gate = try Pipe()
    let hasAlone = !split.alone.isEmpty || plan.swapPlace != nil
    var pipes: [Pipe] = []
    for _ in 0..<split.cpus.count + (hasAlone ? 1 : 0) { pipes.append(try Pipe()) }
    let channels = pipes

    func worker(
      _ number: Int, _ share: CaseShare, _ state: HostState?, begin: @escaping () throws(KernelError) -> Void
    )
      -> () -> Int32
    {
      let output = channels[number].write
      return {
        for pipe in channels { pipe.close(but: output) }
        prepare()
        let channel = JobChannel(output, hasEveryTrial: hasEveryTrial)
        do {
          try begin()
          let campaign = try Campaign(plan, hostState: state, observer: channel, share: share)
          _ = try campaign.run(.default)
          return 0
        } catch {
          channel.fail("\(error)")
          return 2
        }
      }
    }

    var works: [() -> Int32] = [
      {
        gate.close()
        for pipe in channels { pipe.close(but: pipe.read) }
        return report { observer, exitCodes in
          try tell(plan, order, channels.map(\.read), notes + [note(split)], observer, exitCodes)
        }
      }
    ]
    if hasAlone {
      works.append(
        worker(0, CaseShare(cases: split.alone, leavesHost: true), hostState) { () throws(KernelError) in
          Glibc.close(gate.read)
        })
    }
    for (job, cpus) in split.cpus.enumerated() {
      let share = CaseShare(cases: split.shared, next: queue.next)
      works.append(
        worker(job + (hasAlone ? 1 : 0), share, nil) { () throws(KernelError) in
          Glibc.close(gate.write)
          gate.waitForEnd()
          let list = cpus.map(CInt.init)
          try check(ck_run_on_cpus(list, CInt(list.count)), "sched_setaffinity to CPUs \(cpus)")
        })
    }
    return Crew(works: works) {
      for pipe in channels + [gate] { pipe.close() }
      queue.unmap()
    }
  }

  private func note(_ split: JobSplit) -> String {
    let cpus = split.cpus.map { $0.map(String.init).joined(separator: ",") }.joined(separator: " and ")
    return "\(split.shared.count) cases shared by \(split.cpus.count) jobs, on CPUs \(cpus); "
      + "\(split.alone.count) before them, alone"
  }

  /// Reads what the workers tell until all are gone.
  /// - Returns: nil when one was ended before its end, of which the supervisor tells.
  /// - Throws: JobFailure of the first that broke.
  private func tell(
    _ plan: Plan, _ order: [CaseName], _ inputs: [CInt], _ notes: [String], _ observer: any Observer,
    _ exitCodes: ExitCodes
  ) throws(JobFailure) -> RunEnd? {
    let start = Clock.now
    var report = JobReport(plan, order, jobs: inputs.count, observer: observer)
    report.start(notes)
    var lines = inputs.map { _ in LineBuffer() }
    var failure: JobFailure?
    var polled = inputs.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    while polled.contains(where: { $0.fd >= 0 }) {
      if poll(&polled, nfds_t(polled.count), -1) <= 0 { continue }  // a signal, which is for the others
      for job in polled.indices where polled[job].fd >= 0 && polled[job].revents != 0 {
        let isOpen = lines[job].fill(from: polled[job].fd) { line in
          if let event = read(line) {
            report.take(event, from: job)
          } else {
            failure = failure ?? JobFailure(description: String(decoding: line, as: UTF8.self))
          }
        }
        if !isOpen { polled[job].fd = -1 }
      }
    }
    let end = report.finish(exitCodes, seconds: Double(Clock.now - start) / 1e9)
    if let failure { throw failure }
    return end
  }
}

/// Why a job could not run its cases: one line.
struct JobFailure: Error, CustomStringConvertible {
  let description: String
}

/// A worker's end of its pipe: an event a line; what is no event is why it broke.
private final class JobChannel: Observer {
  private let output: CInt
  private let hasEveryTrial: Bool

  init(_ output: CInt, hasEveryTrial: Bool) {
    self.output = output
    self.hasEveryTrial = hasEveryTrial
  }

  func receive(_ event: Event) {
    if case .trial(let trial) = event {
      trial.tellLoss()
      if !trial.isLoss, !hasEveryTrial { return }
    }
    ReportWriter.write(JSONText.line(event) + "\n", to: output)
  }

  func progress(fraction: Double, case name: CaseName) {}

  func fail(_ reason: String) { ReportWriter.write(reason + "\n", to: output) }
}

/// The number of the next case, in memory that the jobs share.
private struct CaseQueue {
  private let count: Int
  private let taken: UnsafeMutablePointer<UInt32>

  init(_ count: Int) throws(KernelError) {
    self.count = count
    var at: UnsafeMutableRawPointer?
    try check(ck_map(MemoryLayout<UInt32>.size, 1, &at), "mmap shared by jobs")
    guard let at else { throw KernelError("mmap shared by jobs", .noMemory) }
    taken = at.bindMemory(to: UInt32.self, capacity: 1)
  }

  func next() -> Int? {
    let number = Int(ck_word_add(taken, 1)) - 1
    return number < count ? number : nil
  }

  func unmap() { munmap(taken, MemoryLayout<UInt32>.size) }
}

private struct Pipe {
  let read: CInt
  let write: CInt

  init() throws(KernelError) {
    var ends: [CInt] = [-1, -1]
    if pipe(&ends) != 0 { throw .last("pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    (read, write) = (ends[0], ends[1])
  }

  func close(but kept: CInt = -1) {
    for end in [read, write] where end != kept { Glibc.close(end) }
  }

  /// Returns when nobody has the other end any more.
  func waitForEnd() {
    var byte: UInt8 = 0
    while Glibc.read(read, &byte, 1) < 0 && errno == EINTR {}
  }
}

/// Bytes that become lines.
private struct LineBuffer {
  private var rest: [UInt8] = []

  /// Reads what is there.
  /// - Returns: false when nothing will come any more.
  mutating func fill(from input: CInt, _ line: (UnsafeRawBufferPointer) -> Void) -> Bool {
    let room = 1 << 16
    var count = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: room) { buffer, filled in
      count = Glibc.read(input, buffer.baseAddress, room)
      filled = max(0, count)
    }
    if count <= 0 { return count < 0 && errno == EINTR }
    var start = 0
    let searched = rest.count
    rest += bytes
    for end in searched..<rest.count where rest[end] == UInt8(ascii: "\n") {
      rest.withUnsafeBytes { line(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
      start = end + 1
    }
    rest.removeFirst(start)
    return true
  }
}
