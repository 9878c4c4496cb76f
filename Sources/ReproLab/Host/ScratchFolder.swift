import Foundation
import Glibc

/// A folder for the duration of one piece of work, that no ending of the process leaves behind for long.
///
/// The name carries the process id: `repro-guest-4711-9F3A...`. Whoever creates a scratch folder first removes
/// those in the same place whose process is gone, so what a SIGKILL left is cleared by the next run. That
/// removes by name, often as root, so it happens only in folders that nobody else can write to: with
/// another's link or rename in the way, a path would lead elsewhere.
struct ScratchFolder: Sendable {
  let path: String

  /// Creates a folder in `parent`, which is created too if need be.
  init(in parent: String, prefix: String) throws {
    do {
      try FileManager.default.createDirectory(
        atPath: parent, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      Self.sweep(parent, prefix: prefix)
      let random = String(UInt64.random(in: 0 ... .max), radix: 16)
      path = "\(parent)/\(prefix)-\(getpid())-\(random)"
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    } catch {
      throw LabError(
        "cannot create a folder in \(parent): \(error.localizedDescription)",
        remedy: "make it writable, or point TMPDIR and XDG_CACHE_HOME elsewhere")
    }
  }

  /// This user's own folder in the system's place for temporary files.
  ///
  /// Not in /run, which is memory: a guest's disks grow to hundreds of MiB.
  static var temporary: String { own(in: FileManager.default.temporaryDirectory.path) ?? unique }

  /// This user's own folder in `place`, made if need be; nil when somebody else has put something there.
  ///
  /// The sticky bit that such places have keeps others from moving it away again.
  static func own(in place: String) -> String? {
    let root = place.count > 1 && place.hasSuffix("/") ? String(place.dropLast()) : place
    let path = "\(root)/repro-lab-\(geteuid())"
    guard mkdir(path, 0o700) == 0 || errno == EEXIST, isOwn(path) else { return nil }
    return path
  }

  /// For when that is taken: a new one, which mkdtemp(3) makes for this user alone. It is not swept, and once
  /// empty the system's cleaner may have it.
  private static let unique: String = {
    let place = FileManager.default.temporaryDirectory.path
    var template = Array("\(place)/repro-lab-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    // Where not even that works, the folder that is asked for next says why.
    return made ?? place
  }()

  /// Whether `path` is a folder, and no link to one, of this user that nobody else can write to.
  private static func isOwn(_ path: String) -> Bool {
    let folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard folder >= 0 else { return false }
    defer { close(folder) }
    var about = stat()
    return fstat(folder, &about) == 0 && about.st_uid == geteuid() && about.st_mode & 0o022 == 0
  }

  /// The path of an entry of the folder.
  func appending(_ name: String) -> String { "\(path)/\(name)" }

  /// Removes the folder and all in it; harmless when it is gone already.
  func remove() {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Removes the folders whose owner no longer lives, if `parent` is this user's alone.
  static func sweep(_ parent: String, prefix: String) {
    guard isOwn(parent) else { return }
    for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] {
      guard name.hasPrefix(prefix + "-"),
        let owner = pid_t(name.dropFirst(prefix.count + 1).prefix { $0 != "-" }),
        kill(owner, 0) == -1, errno == ESRCH
      else { continue }
      try? FileManager.default.removeItem(atPath: "\(parent)/\(name)")
    }
  }
}
