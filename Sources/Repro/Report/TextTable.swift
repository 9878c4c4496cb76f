/// Columns of text, as wide as their widest cell.
public struct TextTable {
  private var rows: [[String]] = []

  /// An empty table.
  public init() {}

  /// Adds a row.
  public mutating func row(_ cells: [String]) { rows.append(cells) }

  /// The rows, without trailing blanks.
  public var lines: [String] {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        line += (column == 0 ? "" : "  ") + cell.padded(to: widths[column])
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}

extension String {
  /// The text with blanks up to `width` characters; left of it when `right` is set.
  package func padded(to width: Int, right: Bool = false) -> String {
    let blanks = String(repeating: " ", count: max(0, width - count))
    return right ? blanks + self : self + blanks
  }

  /// Lines of at most `width` characters, broken at blanks.
  package func wrapped(to width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in split(separator: " ") {
      if !line.isEmpty && line.count + 1 + word.count > width {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return lines + [line]
  }
}

extension Double {
  /// Fixed decimals without Foundation: `(0.1389).fixed(2)` is `0.14`.
  package func fixed(_ decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    guard magnitude * scale < 0x1p63 else { return "\(self)" }  // nan too
    let scaled = Int64((magnitude * scale).rounded())
    let whole = scaled / Int64(scale)
    let rest = String(scaled % Int64(scale))
    let sign = self < 0 && scaled != 0 ? "-" : ""
    if decimals == 0 { return "\(sign)\(whole)" }
    return "\(sign)\(whole)." + String(repeating: "0", count: decimals - rest.count) + rest
  }
}
