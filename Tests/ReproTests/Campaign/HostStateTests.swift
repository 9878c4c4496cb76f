import Foundation
import TestHost
import Testing

@testable import Repro

/// Changes of plain files in a folder of its own: any path will do for ``HostSetting/file(_:_:isRequired:)``.
@Suite("Host state")
struct HostStateTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var journalFolder: String { folder("journal-folder") }

  private func open() throws(HostStateError) -> HostState { try HostState(folder: journalFolder) }

  private func set(_ name: String, _ value: String, isRequired: Bool = true) -> HostSetting {
    .file(folder(name), value, isRequired: isRequired)
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
    try state.apply([set("missing", "1", isRequired: false)])
    #expect(throws: KernelError.self) { try state.apply([set("missing", "1")]) }
    #expect(folder.names == ["journal-folder"])
  }

  @Test("the journal has each change before the next is made")
  func journal() throws {
    try folder.write("0\n", to: "run")
    let state = try open()
    #expect(throws: KernelError.self) { try state.apply([set("run", "1"), set("missing", "1")]) }
    let journal = try String(contentsOfFile: "\(journalFolder)/journal", encoding: .utf8)
    #expect(journal.hasPrefix("file\t\(folder("run"))\t0"))
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
    try folder.write("", to: "scratch")
    let lines = [
      "file\t\(folder("run"))\t0", "scratch\t\(folder("scratch"))", "file\t\(folder("pages"))\t5",
    ]
    try leave(lines.map { $0 + "\n" }.joined())
    let state = try open()
    #expect(state.leftovers == lines)
    #expect(try folder.read("run") == "0\n")
    #expect(try folder.read("pages") == "5\n")
    #expect(!folder.names.contains("scratch"))
    state.close()
    #expect(folder.names == ["pages", "run"])
  }

  @Test("nothing is put back twice")
  func once() throws {
    try folder.write("1\n", to: "run")
    try leave("file\t\(folder("run"))\t0\n")
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
    let whole = "file\t\(folder("run"))\t0\n"
    let last = "file\t\(folder("pages"))\t100\n"
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
    try leave("file\t\(folder("gone"))\t0\nscratch\t\(folder("gone too"))\nswap\t/nowhere\nzram\tnone\n")
    let state = try open()
    #expect(state.leftovers.count == 4)
    state.close()
    #expect(folder.names == [])
  }
}
