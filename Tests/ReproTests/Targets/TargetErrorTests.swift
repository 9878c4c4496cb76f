import SystemPackage
import Testing

@testable import Repro

@Suite("Target errors")
struct TargetErrorTests {
  private static let errors: [TargetError] = [
    .wrongType("/t"), .wouldOverwrite("/t"), .noDirectIO("/t"), .full("/t", needed: 16 << 20),
    .tooSmall("/t", bytes: 512, needed: 1024), .unusable("/t", KernelError("open", .permissionDenied)),
  ]

  @Test("are one line that begins with the path", arguments: errors)
  func line(_ error: TargetError) {
    let text = "\(error)"
    #expect(text.hasPrefix("/t: "))
    #expect(!text.contains { $0.isNewline })
  }

  @Test("say what to do", arguments: errors)
  func remedy(_ error: TargetError) {
    let remedies = ["name ", "free ", "are needed"]
    #expect(remedies.contains { "\(error)".contains($0) })
  }
}
