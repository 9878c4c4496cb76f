import ArgumentParser
import Glibc

/// Opens what `--output` names, or gives standard output when it names nothing.
/// - Throws: ValidationError when the file can't be written.
func openOutput(_ path: String?) throws -> CInt {
  guard let path else { return STDOUT_FILENO }
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
  if descriptor < 0 {
    throw ValidationError(
      "--output \(path): \(String(cString: strerror(errno))); name a file that you may write")
  }
  return descriptor
}
