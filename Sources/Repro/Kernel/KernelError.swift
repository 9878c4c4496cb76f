import Glibc
public import SystemPackage

/// A system call, or an operation made of a few, that the kernel answered with an errno.
public struct KernelError: Error, Equatable, CustomStringConvertible {
  /// What was tried, with its object: `open /dev/fuse`.
  public let call: String
  /// The kernel's answer.
  public let errno: Errno

  /// An error of `call` with the kernel's answer `errno`.
  public init(_ call: String, _ errno: Errno) {
    self.call = call
    self.errno = errno
  }

  /// The error of a C library function that has just failed.
  static func last(_ call: @autoclosure () -> String) -> KernelError {
    let errno = Glibc.errno  // first: building the text may call functions that set it
    return KernelError(call(), Errno(rawValue: errno))
  }

  /// Whether the kernel found that data or what describes it is damaged, where nothing is wrong with the call.
  var isOfTheData: Bool {
    [EIO, EUCLEAN, EBADMSG].contains(errno.rawValue)
  }

  /// `open /dev/fuse: Permission denied`.
  public var description: String { "\(call): \(errno)" }
}

/// Returns `result` of a CKernel function (>= 0, or -errno) or throws it as the error of `call`.
@discardableResult
func check<Result: SignedInteger>(
  _ result: Result, _ call: @autoclosure () -> String
) throws(KernelError) -> Result {
  if result < 0 { throw KernelError(call(), Errno(rawValue: CInt(-result))) }
  return result
}

/// Runs a swift-system operation; what it throws becomes the error of `call`.
@discardableResult
func attempt<Result>(
  _ call: @autoclosure () -> String, _ body: () throws -> Result
) throws(KernelError) -> Result {
  do {
    return try body()
  } catch {
    throw KernelError(call(), error as? Errno ?? .invalidArgument)
  }
}
