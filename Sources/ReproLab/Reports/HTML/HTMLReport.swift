import Foundation
import Mustache
public import Repro

extension ReportFormat {
  /// A page to look at.
  public static let html = ReportFormat(
    "html", "a page to look at, one file", document: { HTMLPage($0).lines }
  ) { _ in
    DocumentReport { HTMLPage($0).lines }
  }
}

/// The page of `page.mustache`: one file that needs no network.
struct HTMLPage {
  private let model: PageModel

  init(_ runs: [[Event]]) { model = PageModel(runs.map(RunSummary.init)) }

  /// The page's text, as lines.
  var lines: [String] {
    // Whole lines of text, so that nothing of it is split between elements that keep their blanks.
    Self.template.render(model).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  private static let template: MustacheTemplate = {
    do {
      return try MustacheTemplate(string: text(PackageResources.page_mustache))
    } catch {
      fatalError("page.mustache: \(error)")
    }
  }()

  static let style = text(PackageResources.page_css)
  static let script = text(PackageResources.page_js)

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
