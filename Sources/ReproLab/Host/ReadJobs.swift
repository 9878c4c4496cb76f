import Foundation
public import Repro

extension Jobs {
  /// So many jobs, whose events Foundation reads; nil for one, which needs no reading.
  public static func of(_ count: Int) -> Jobs? {
    if count < 2 { return nil }
    return Jobs(count) { try? JSONDecoder().decode(Event.self, from: Data($0)) }
  }
}
