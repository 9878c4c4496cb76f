import Foundation

/// The Debian archives that this machine already trusts, read from its own apt sources.
///
/// A kernel of another suite is fetched from the same mirror, with the same keyring and options; only the suite
/// differs. Both formats are read: deb822 stanzas (`*.sources`) and one-line entries (`*.list`).
struct AptSources: Sendable, Equatable {
  /// One archive: where it is and the options that its entry has.
  struct Archive: Sendable, Equatable {
    var uri: String
    /// deb822 fields that matter for any suite, in order: Signed-By, Trusted, Check-Valid-Until...
    var options: [Option] = []

    struct Option: Sendable, Equatable {
      var name: String
      var value: String
    }

    /// Debian's security archive is another tree than the main one; both are recognised by their path, so that
    /// mirrors and snapshots count and other projects' archives don't.
    enum Kind { case main, security }

    var kind: Kind? {
      let path = uri.drop { $0 != ":" }.dropFirst(3).drop { $0 != "/" }
      let parts = path.split(separator: "/")
      if parts.contains(where: { $0.hasPrefix("debian-security") }) { return .security }
      return parts.contains { $0.hasPrefix("debian") } ? .main : nil
    }
  }

  let archives: [Archive]

  /// The sources of this machine; without any of Debian's, the public mirror.
  static func ofThisMachine(etc: String = "/etc/apt") -> AptSources {
    let folder = "\(etc)/sources.list.d"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let files = ["\(etc)/sources.list"] + names.sorted().map { "\(folder)/\($0)" }
    return AptSources(
      files: files.compactMap { path in
        (try? String(contentsOfFile: path, encoding: .utf8)).map { (path, $0) }
      })
  }

  /// Reads source files; the name's ending tells the format, other endings are ignored as apt does.
  init(files: [(name: String, text: String)]) {
    archives = files.flatMap { name, text in
      if name.hasSuffix(".sources") { return Self.stanzas(text) }
      return name.hasSuffix(".list") ? Self.lines(text) : []
    }
  }

  /// The text of a private sources file for one suite.
  /// - Parameter architecture: whose packages are meant, by Debian's name.
  func sources(forSuite suite: String, architecture: String = "amd64") -> String {
    let kind: Archive.Kind = suite.hasSuffix("-security") ? .security : .main
    let archive =
      archives.first { $0.kind == kind }
      ?? archives.first { $0.kind != nil }?.sibling(kind)
      ?? .debian(kind)
    let fields =
      [
        ("Types", "deb"), ("URIs", archive.uri), ("Suites", suite), ("Components", "main"),
        ("Architectures", architecture),
      ] + archive.options.map { ($0.name, $0.value) }
    return fields.map { "\($0): \($1)\n" }.joined()
  }

  private static let kept = [
    "signed-by", "trusted", "check-valid-until", "check-date", "allow-insecure", "allow-weak", "by-hash",
  ]

  private static func stanzas(_ text: String) -> [Archive] {
    text.replacingOccurrences(of: "\r\n", with: "\n").components(separatedBy: "\n\n").flatMap { stanza in
      var fields: [(name: String, value: String)] = []
      for line in stanza.split(separator: "\n") where !line.hasPrefix("#") {
        if line.first?.isWhitespace == true, !fields.isEmpty {
          fields[fields.count - 1].value += "\n" + line
        } else if let colon = line.firstIndex(of: ":") {
          let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
          fields.append((String(line[..<colon]), value))
        }
      }
      func words(_ name: String) -> [String] {
        let value = fields.first { $0.name.lowercased() == name }?.value ?? ""
        return value.split(whereSeparator: \.isWhitespace).map(String.init)
      }
      guard words("types").contains("deb"), words("components").contains("main"), words("enabled") != ["no"]
      else { return [Archive]() }
      let options = fields.filter { kept.contains($0.name.lowercased()) }
      return words("uris").map { uri in
        Archive(uri: uri, options: options.map { Archive.Option(name: $0.name, value: $0.value) })
      }
    }
  }

  private static func lines(_ text: String) -> [Archive] {
    text.split(separator: "\n").compactMap { line in
      var rest = line.prefix { $0 != "#" }.drop(while: \.isWhitespace)
      guard rest.hasPrefix("deb"), rest.dropFirst(3).first?.isWhitespace == true else { return nil }
      rest = rest.dropFirst(3).drop(while: \.isWhitespace)
      var options: [Archive.Option] = []
      if rest.first == "[", let end = rest.firstIndex(of: "]") {
        for pair in rest[..<end].dropFirst().split(whereSeparator: \.isWhitespace) {
          let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
          guard parts.count == 2, kept.contains(parts[0].lowercased()) else { continue }
          options.append(Archive.Option(name: parts[0].capitalized, value: parts[1]))
        }
        rest = rest[end...].dropFirst()
      }
      let words = rest.split(whereSeparator: \.isWhitespace).map(String.init)
      guard words.count >= 3, words[2...].contains("main") else { return nil }
      return Archive(uri: words[0], options: options)
    }
  }
}

extension AptSources.Archive {
  /// The other tree on the same mirror: `/debian` and `/debian-security` lie side by side.
  func sibling(_ kind: Kind) -> Self {
    guard self.kind != kind else { return self }
    var other = self
    other.uri = uri.split(separator: "/", omittingEmptySubsequences: false).map { part in
      switch (part, kind) {
      case ("debian", .security): "debian-security"
      case ("debian-security", .main): "debian"
      default: String(part)
      }
    }.joined(separator: "/")
    return other.kind == kind ? other : .debian(kind)
  }

  /// The public mirror.
  static func debian(_ kind: Kind) -> Self {
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    let isThere = FileManager.default.fileExists(atPath: keyring)
    return Self(
      uri: "http://deb.debian.org/" + (kind == .security ? "debian-security" : "debian"),
      options: isThere ? [Option(name: "Signed-By", value: keyring)] : [])
  }
}
