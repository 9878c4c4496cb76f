import Foundation
package import Testing

extension Trait where Self == ConditionTrait {
  /// A suite that boots guests, a few seconds each and a download of each kernel at first: it runs on request
  /// only. Its type's name ends in `GuestTests`, by which `./run.sh test --guest` selects it.
  package static var inGuests: Self {
    .enabled(if: ProcessInfo.processInfo.environment["REPRO_GUEST_TESTS"] == "1", "set REPRO_GUEST_TESTS=1")
  }
}
