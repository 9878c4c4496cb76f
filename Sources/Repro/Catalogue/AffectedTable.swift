extension Catalogue {
  /// The Markdown table for users who ask whether their kernel is affected.
  ///
  /// It has the bugs that were seen on a real kernel or have a CVE number; guards, and races that nobody hit
  /// yet, stay in the catalogue.
  public func affectedTable() -> String {
    let header = ["bug", "what must happen", "path", "bad from", "fixed in", "measured"]
    let rows = bugs.filter(\.concernsUsers).map { bug in
      [
        "`\(bug.id)`" + bug.cve.map { ", \($0)" }.joined(),
        bug.hazard,
        bug.paths.joined(separator: ", "),
        bug.bad.description,
        bug.fixed == .never ? "not yet" : bug.fixed.description,
        bug.results,
      ]
    }
    let rule = header.map { _ in "---" }
    return ([header, rule] + rows).map { "| \($0.joined(separator: " | ")) |\n" }.joined()
  }
}

extension Bug {
  fileprivate var concernsUsers: Bool {
    !isGuard && (!cve.isEmpty || measured.contains(where: \.corrupt))
  }

  /// `corrupt 5.10.223, 6.1.176; clean 6.12.117`, or a dash.
  fileprivate var results: String {
    let kinds = [true, false].compactMap { corrupt -> String? in
      let versions = kernels(corrupt: corrupt)
      guard !versions.isEmpty else { return nil }
      return (corrupt ? "corrupt " : "clean ") + versions.joined(separator: ", ")
    }
    return kinds.isEmpty ? "-" : kinds.joined(separator: "; ")
  }
}
