import Foundation
import GRDB
public import Repro

/// Results of runs in one SQLite file, a row a case and run: what a lab has seen, over kernels and time.
public final class ResultStore: Sendable {
  private let queue: DatabaseQueue
  private let path: String

  /// Opens the store at `path`.
  /// - Parameter create: whether a store that is not there is made.
  /// - Throws: PlanError when there is none, or the file is something else.
  public init(_ path: String, create: Bool = false) throws(PlanError) {
    self.path = path
    if FileManager.default.fileExists(atPath: path) {
      let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
      guard Self.isStore(path) || create && size == 0 else {
        throw PlanError("\(path): is no store of results")
      }
    } else if !create {
      throw PlanError("\(path): no store there; 'repro store add' makes one")
    }
    do {
      queue = try DatabaseQueue(path: path)
      try Self.migrator.migrate(queue)
    } catch {
      throw PlanError("\(path): \(Self.text(error))")
    }
  }

  /// Whether the file at `path` is SQLite's.
  public static func isStore(_ path: String) -> Bool {
    guard let file = FileHandle(forReadingAtPath: path) else { return false }
    defer { try? file.close() }
    return (try? file.read(upToCount: 16)) == Data("SQLite format 3\0".utf8)
  }

  private static func text(_ error: any Error) -> String {
    (error as? DatabaseError)?.message ?? "\(error)"
  }

  private static let migrator: DatabaseMigrator = {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("runs and results") { db in
      try db.create(table: "run") { table in
        table.autoIncrementedPrimaryKey("id")
        // The events that tell one run from another; that they are unique makes adding twice do nothing.
        table.column("start", .text).notNull()
        table.column("end", .text).notNull()
        table.column("surroundings", .text).notNull()
        table.column("kernel", .text).notNull()
        table.column("version", .text)
        table.column("machine", .text).notNull()
        table.column("processors", .integer).notNull()
        table.column("seed", .text).notNull()
        table.column("verdict", .text).notNull()
        table.column("seconds", .double).notNull()
        table.uniqueKey(["start", "end"])
      }
      try db.create(table: "result") { table in
        table.belongsTo("run", onDelete: .cascade).notNull()
        table.column("name", .text).notNull().indexed()
        for part in ["scenario", "memory", "engine", "target", "schedule", "role", "verdict"] {
          table.column(part, .text).notNull()
        }
        table.column("reason", .text)
        for count in ["trials", "exposures", "losses", "lostTrials"] {
          table.column(count, .integer).notNull()
        }
        table.column("event", .text).notNull()
        table.primaryKey(["runId", "name"])
      }
      try db.create(table: "loss") { table in
        table.belongsTo("run", onDelete: .cascade).notNull()
        table.column("event", .text).notNull()
      }
    }
    return migrator
  }()

  // MARK: Adding

  /// Adds the runs of a JSONL report, all or none; what is there already is left alone.
  /// - Returns: how many runs were new.
  /// - Throws: PlanError for a report that is cut off or not one, or that contradicts a run that is there.
  @discardableResult
  public func add(_ path: String) throws(PlanError) -> Int {
    let report = try StoredReport(path, .losses)
    if let torn = report.torn { throw PlanError("\(torn); nothing was added") }
    do {
      return try queue.write { db in
        try report.runs.reduce(0) { try $0 + (self.add($1, path, db) ? 1 : 0) }
      }
    } catch let error as PlanError {
      throw error
    } catch {
      throw PlanError("\(self.path): \(Self.text(error))")
    }
  }

  private func add(_ events: [Event], _ path: String, _ db: Database) throws -> Bool {
    let run = RunSummary(events)
    guard let start = run.start else { throw PlanError("\(path): a run that never began; nothing was added") }
    if let name = run.missing.first, run.end.verdict != .error, run.end.interruptedBy == nil {
      throw PlanError("\(path): has no result of \(name), and no error that says why; nothing was added")
    }
    let (first, last) = (JSONText.line(Event.run(start)), JSONText.line(Event.end(run.end)))
    let surroundings = events.filter(\.isSurrounding).map { JSONText.line($0) }
    if let id = try Int64.fetchOne(
      db, sql: "SELECT id FROM run WHERE start = ? AND end = ?", arguments: [first, last])
    {
      let there = try String.fetchSet(db, sql: "SELECT event FROM result WHERE runId = ?", arguments: [id])
      if there == Set(run.results.map { JSONText.line(Event.result($0)) }) { return false }
      throw PlanError("\(path): differs from the same run in the store; nothing was added")
    }
    try db.execute(
      sql: """
        INSERT INTO run (start, end, surroundings, kernel, version, machine, processors, seed, verdict, seconds)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        first, last, surroundings.joined(separator: "\n"), start.release, run.version?.description,
        start.machine, start.processors, "\(start.plan.seed)", run.end.verdict.rawValue, run.end.seconds,
      ])
    let id = db.lastInsertedRowID
    for result in run.results { try add(result, id, db) }
    for loss in run.results.flatMap({ run.losses[$0.case] ?? [] }) {
      try db.execute(
        sql: "INSERT INTO loss (runId, event) VALUES (?, ?)",
        arguments: [id, JSONText.line(Event.trial(loss))])
    }
    return true
  }

  private func add(_ result: CaseResult, _ run: Int64, _ db: Database) throws {
    let (name, count) = (result.case, result.count)
    try db.execute(
      sql: """
        INSERT INTO result (runId, name, scenario, memory, engine, target, schedule, role, verdict, reason,
          trials, exposures, losses, lostTrials, event)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        run, "\(name)", name.scenario, name.memory, name.engine, name.target, name.schedule.rawValue,
        result.role.rawValue, result.verdict.rawValue, result.reason, count.trials, count.exposures,
        count.losses, count.lostTrials, JSONText.line(Event.result(result)),
      ])
  }

  // MARK: Reading

  /// The runs as events, in the order in which they were added; of trials those that lost data, at most
  /// ``DocumentReport/lossesKept`` a case.
  /// - Throws: PlanError when the file can't be read.
  public func runs() throws(PlanError) -> [[Event]] {
    let lines: [[String]]
    do {
      lines = try queue.read { db in
        try Row.fetchAll(db, sql: "SELECT id, start, end, surroundings FROM run ORDER BY id").map { row in
          let id: Int64 = row["id"]
          let surroundings: String = row["surroundings"]
          return [row["start"]] + surroundings.split(separator: "\n").map(String.init)
            + (try String.fetchAll(db, sql: "SELECT event FROM loss WHERE runId = ?", arguments: [id]))
            + (try String.fetchAll(
              db, sql: "SELECT event FROM result WHERE runId = ? ORDER BY rowid", arguments: [id]))
            + [row["end"]]
        }
      }
    } catch {
      throw PlanError("\(path): \(Self.text(error))")
    }
    if lines.isEmpty { throw PlanError("\(path): holds no runs yet; 'repro store add' adds some") }
    let text = lines.joined().joined(separator: "\n")
    return try StoredReport(Data(text.utf8), path, .losses).runs
  }
}

extension Event {
  /// Whether it says under which circumstances the results were made.
  fileprivate var isSurrounding: Bool {
    switch self {
    case .note, .control: true
    case .run, .trial, .result, .end: false
    }
  }
}
