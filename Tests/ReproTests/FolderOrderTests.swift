import Foundation
import Testing

/// The folders of the library, each of which may use those before it and no others.
@Suite("Folders")
struct FolderOrderTests {
  private static let order = [
    "Kernel", "Oracle", "Parts", "Hazards", "Memory", "Engines", "Targets", "Cases", "Trial", "Catalogue",
    "Host", "Campaign", "Report", "Session", "Inspect", "Export", "Seal",
  ]

  private static let sources = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Sources/Repro").standardized

  /// The Swift text of each folder, without comments and text in quotes.
  private static let texts: [String: String] = {
    var texts: [String: String] = [:]
    let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
    while let file = files?.nextObject() as? URL {
      guard file.pathExtension == "swift", let text = try? String(contentsOf: file, encoding: .utf8) else {
        continue
      }
      let folder = file.deletingLastPathComponent().lastPathComponent
      let code = text.replacing(/"""(.|\n)*?"""/, with: "").replacing(/\/\/.*/, with: "")
      texts[folder, default: ""] += code.replacing(/"(\\.|[^"\\\n])*"/, with: "")
    }
    return texts
  }()

  /// Names that a folder declares for all: types that begin a line.
  private static let declared: [String: Set<String>] = texts.mapValues { text in
    let type =
      /(?m)^(?:public |package |final |indirect )*(?:struct|class|enum|protocol|typealias) ([A-Z]\w*)/
    return Set(text.matches(of: type).map { String($0.output.1) })
  }

  @Test("are all in the order")
  func complete() {
    #expect(Set(Self.texts.keys) == Set(Self.order))
  }

  @Test("depend only on those before them", arguments: order)
  func dependsBackwards(folder: String) throws {
    let place = try #require(Self.order.firstIndex(of: folder))
    let words = Set((Self.texts[folder] ?? "").matches(of: /\b[A-Z]\w*/).map { String($0.output) })
    for later in Self.order[(place + 1)...] {
      let used = words.intersection(Self.declared[later] ?? []).subtracting(Self.declared[folder] ?? [])
      #expect(used.isEmpty, "\(folder) uses \(used.sorted()) of \(later)")
    }
  }
}
