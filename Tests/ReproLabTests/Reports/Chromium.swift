import Foundation
import TestHost
import Testing

/// The page in a browser without a window: what its elements are, and what its script does.
enum Chromium {
  static let path = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  /// What the function body `script` returns in the page, decoded from JSON.
  /// - Throws: Python.Refused when the browser fails.
  static func ask<Answer: Decodable>(_ page: String, _ script: String) throws -> Answer {
    let probe = """
      <pre id="probe"></pre><script>
      const turn = () => new Promise((done) => setTimeout(done, 20));
      const key = (name) => document.activeElement.dispatchEvent(
        new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
      (async () => { \(script) })().then(
        (answer) => { document.getElementById("probe").textContent = JSON.stringify(answer); },
        (error) => { document.getElementById("probe").textContent = "failed: " + error; });
      </script></body>
      """
    // Errors of the page's own script come before the probe is there.
    let listener =
      "<head><script>window.errors = []; addEventListener(\"error\", (e) => errors.push(e.message));</script>"
    let text = page.replacing("<head>", with: listener, maxReplacements: 1).replacing("</body>", with: probe)
    let folder = try TemporaryFolder()
    try folder.write(text, to: "page.html")
    let dump = try Python.run([
      try #require(path), "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000",
      "--user-data-dir=\(folder("profile"))", "--dump-dom", "file://\(folder("page.html"))",
    ])
    let start = try #require(dump.range(of: "<pre id=\"probe\">"))
    let answer = dump[start.upperBound...].prefix { $0 != "<" }
      .replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&amp;", with: "&")
    do {
      return try JSONDecoder().decode(Answer.self, from: Data(answer.utf8))
    } catch {
      throw Python.Refused(reason: String(answer))
    }
  }
}

extension Trait where Self == ConditionTrait {
  /// Needs Debian's chromium.
  static var withChromium: Self {
    .enabled(if: Chromium.path != nil, "chromium is installed by ./run.sh test")
  }
}
