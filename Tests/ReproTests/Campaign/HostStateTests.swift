import Foundation
import TestHost
import Testing

@testable import Repro

/// Changes of plain files in a folder of its own: any path will do for ``Setting/file(_:_:accepted:_:)``.
@Suite("Host state")
struct HostStateTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var journalFolder: String { folder("journal-folder") }

  /// Any of the folder's files may be changed.
  private func open() throws(HostStateError) -> HostState {
    let names = ["run", "pages", "enabled", "missing", "pool", "gone"]
    return try HostState(folder: journalFolder, allowed: Set(names.map { folder($0) }))
  }

  private func set(_ name: String, _ value: String, _ policy: Setting.Policy = .needed) -> Setting {
    .file(folder(name), value, policy)
  }

  @Test("changes are made, undone, and leave no trace")
  func applyAndUndo() throws {
    try folder.write("0\n", to: "run")
    try folder.write("100\n", to: "pages")
    let state = try open()
    try state.apply([set("run", "1"), set("pages", "999")])
    #expect(try folder.read("run").hasPrefix("1"))
    #expect(try folder.read("pages").hasPrefix("999"))
    state.undoAll()
    #expect(try folder.read("run") == "0\n")
    #expect(try folder.read("pages") == "100\n")
    state.close()
    #expect(folder.names == ["pages", "run"])
  }

  @Test("closing undoes what is still changed")
  func close() throws {
    try folder.write("0\n", to: "run")
    let state = try open()
    try state.apply([set("run", "1")])
    state.close()
    #expect(try folder.read("run") == "0\n")
    #expect(folder.names == ["run"])
  }

  @Test("changes of one thing are undone from the last to the first")
  func order() throws {
    try folder.write("0\n", to: "run")
    let state = try open()
    try state.apply([set("run", "1"), set("run", "2"), set("run", "3")])
    state.close()
    #expect(try folder.read("run") == "0\n")
  }

  @Test("what is so already is not touched")
  func unchanged() throws {
    try folder.write("1\n", to: "run")
    try folder.write("always [madvise] never\n", to: "enabled")
    let state = try open()
    try state.apply([set("run", "1"), set("enabled", "madvise")])
    #expect(try String(contentsOfFile: "\(journalFolder)/journal", encoding: .utf8) == "")
    #expect(try folder.read("enabled") == "always [madvise] never\n")
    state.close()
  }

  @Test("a missing file is an error only when it is required")
  func missing() throws {
    let state = try open()
    defer { state.close() }
    try state.apply([set("missing", "1", .wished)])
    #expect(throws: SettingError.self) { try state.apply([set("missing", "1")]) }
    #expect(folder.names == ["journal-folder"])
  }

  @Test("the journal has each change before the next is made")
  func journal() throws {
    try folder.write("0\n", to: "run")
    let state = try open()
    #expect(throws: SettingError.self) { try state.apply([set("run", "1"), set("missing", "1")]) }
    let journal = try String(contentsOfFile: "\(journalFolder)/journal", encoding: .utf8)
    #expect(journal.hasPrefix("file\t\(folder("run"))\t0\t1\n"))
    #expect(try folder.read("run").hasPrefix("1"))
    state.close()
    #expect(try folder.read("run") == "0\n")
  }

  @Test("only one run at a time")
  func busy() throws {
    let state = try open()
    let error = #expect(throws: HostStateError.self) { try open() }
    #expect(
      error?.description
        == "another repro run is changing this host (\(journalFolder)/journal is locked); wait for it to end")
    state.close()
    try open().close()
  }

  @Test("a folder that can't be made is named")
  func unusable() throws {
    try folder.write("", to: "journal-folder")
    let error = #expect(throws: HostStateError.self) { try open() }
    #expect(error?.description.contains(journalFolder) == true)
    #expect(folder.names == ["journal-folder"])
  }

  // MARK: After a SIGKILL

  /// A journal as a killed run would have left it.
  private func leave(_ journal: String) throws {
    try FileManager.default.createDirectory(atPath: journalFolder, withIntermediateDirectories: false)
    try folder.write(journal, to: "journal-folder/journal")
  }

  @Test("what a killed run had changed is put back by the next, which says so")
  func leftovers() throws {
    try folder.write("1\n", to: "run")
    try folder.write("9\n", to: "pages")
    try folder.write("34\n", to: "pool")
    let lines = [
      "file\t\(folder("run"))\t0\t1", "raising\t\(folder("pool"))\t14\t30", "more\t\(folder("pool"))\t20",
      "file\t\(folder("pages"))\t5\t9",
    ]
    try leave(lines.map { $0 + "\n" }.joined())
    let state = try open()
    #expect(state.leftovers == lines)
    #expect(try folder.read("run") == "0\n")
    #expect(try folder.read("pages") == "5\n")
    #expect(try folder.read("pool") == "14\n")
    state.close()
    #expect(folder.names == ["pages", "pool", "run"])
  }

  @Test("what somebody else has changed meanwhile is theirs, and that is said")
  func theirs() throws {
    try folder.write("7\n", to: "run")
    try leave("file\t\(folder("run"))\t0\t1\n")
    let state = try open()
    #expect(state.leftovers.last == "\(folder("run")): left at 7, which somebody else set")
    state.close()
    #expect(try folder.read("run") == "7\n")
    #expect(folder.names == ["run"], "and it is nobody's business any more")
  }

  @Test("a raise that a kill cut short is taken back as far as it came", arguments: [14, 20, 44])
  func raising(now: Int) throws {
    try folder.write("\(now)\n", to: "pool")
    try leave("raising\t\(folder("pool"))\t14\t30\n")
    try open().close()
    #expect(try folder.read("pool") == "14\n")
  }

  @Test("a pool that two runs raise ends as it began, whoever ends first")
  func raisedTwice() throws {
    try folder.write("13\n", to: "pool")
    let other = try TemporaryFolder()
    let one = try open()
    let two = try HostState(folder: other("journal-folder"), allowed: [folder("pool")])
    let raise = [Setting.more(folder("pool"), by: 20)]
    try one.apply(raise)
    try two.apply(raise)
    #expect(KernelFile.number(folder("pool")) == 53)
    one.close()
    #expect(KernelFile.number(folder("pool")) == 33)
    two.close()
    #expect(KernelFile.number(folder("pool")) == 13)
  }

  @Test("a journal that names a file which no part changes is not obeyed")
  func notAllowed() throws {
    try folder.write("1\n", to: "precious")
    try leave("file\t\(folder("precious"))\t0\t1\nmore\t\(folder("precious"))\t1\n")
    let state = try HostState(folder: journalFolder, allowed: [folder("run")])
    #expect(state.leftovers.filter { $0.contains("no part does") }.count == 2)
    state.close()
    #expect(try folder.read("precious") == "1\n")
  }

  @Test("a swap file is removed only from a folder that is our own", arguments: [0o700, 0o777])
  func scratch(mode: Int) throws {
    let scratch = "/var/tmp/repro-swap.test\(mode)"
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: false)
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: scratch)
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    try Data().write(to: URL(filePath: scratch + "/swap"))
    try leave("scratch\t\(scratch)\n")
    try open().close()
    #expect(FileManager.default.fileExists(atPath: scratch + "/swap") == (mode != 0o700))
  }

  @Test("a journal that others may write to, or that is a link, is refused", arguments: ["mode", "link"])
  func notOurs(what: String) throws {
    try leave("file\t\(folder("run"))\t0\t1\n")
    let journal = "\(journalFolder)/journal"
    if what == "mode" {
      try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: journal)
    } else {
      try FileManager.default.moveItem(atPath: journal, toPath: folder("elsewhere"))
      try FileManager.default.createSymbolicLink(atPath: journal, withDestinationPath: folder("elsewhere"))
    }
    try folder.write("1\n", to: "run")
    #expect(throws: HostStateError.self) { try open() }
    #expect(try folder.read("run") == "1\n")
  }

  @Test("nothing is put back twice")
  func once() throws {
    try folder.write("1\n", to: "run")
    try leave("file\t\(folder("run"))\t0\t1\n")
    let state = try open()
    try folder.write("7\n", to: "run")  // by somebody else, meanwhile
    state.undoAll()
    state.close()
    #expect(try folder.read("run") == "7\n")
  }

  /// The value of the last line may have lost digits: 100 would be put back as 1.
  @Test("a last line that was cut short is not acted upon", arguments: 1...12)
  func truncated(cut: Int) throws {
    try folder.write("1\n", to: "run")
    try folder.write("999\n", to: "pages")
    let whole = "file\t\(folder("run"))\t0\t1\n"
    let last = "file\t\(folder("pages"))\t100\t999\n"
    try leave(whole + last.dropLast(cut))
    let state = try open()
    #expect(state.leftovers == [String(whole.dropLast())])
    state.close()
    #expect(try folder.read("run") == "0\n")
    #expect(try folder.read("pages") == "999\n")
  }

  @Test(
    "a journal that is not one is left alone", arguments: ["\n\n", "nonsense\n", "file\tonly two\n", "\t\n"])
  func nonsense(journal: String) throws {
    try leave(journal)
    let state = try open()
    #expect(state.leftovers == [])
    state.close()
    #expect(folder.names == [])
  }

  @Test("what is gone by now is no error")
  func gone() throws {
    try leave(
      "file\t\(folder("gone"))\t0\t1\nscratch\t/var/tmp/repro-swap.gone\nswap\t/nowhere\t0x1\nzram\tzram9\t1\n"
    )
    let state = try open()
    #expect(state.leftovers.count == 4)
    state.close()
    #expect(folder.names == [])
  }
}
