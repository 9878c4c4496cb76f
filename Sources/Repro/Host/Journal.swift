import CKernel
import Glibc

/// The list of changes to the host that are still to be undone, one a line, on a file that is locked while
/// a run lives: two runs that change settings exclude each other.
///
/// The file is root's own: nobody else can have written into it, or put a link in its place. Containers
/// that share a kernel but not this folder do not see each other's lock, and no lock is known that all of
/// them would: there the rule holds that a value is put back only while it is still ours.
final class Journal {
  private let folder: String
  private let file: CInt

  private var path: String { "\(folder)/journal" }

  /// Whether there is one to look at.
  static func exists(in folder: String) -> Bool { access("\(folder)/journal", F_OK) == 0 }

  /// Opens and locks the journal in `folder`, which is made if it is missing.
  /// - Throws: HostStateError when another run has it, or it is not ours.
  init(folder: String) throws(HostStateError) {
    self.folder = folder
    let path = "\(folder)/journal"
    while true {
      if mkdir(folder, 0o755) != 0 && errno != EEXIST { throw .unusable(.last("make \(folder)")) }
      try Self.requireOwn(folder, type: S_IFDIR)
      let file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
      if file < 0 && errno == ENOENT { continue }  // another run removed the folder just now
      if file < 0 { throw .unusable(.last("open \(path)")) }
      if flock(file, LOCK_EX | LOCK_NB) != 0 {
        Glibc.close(file)
        throw .busy(path)
      }
      var mine = stat()
      var named = stat()
      if fstat(file, &mine) == 0, lstat(path, &named) == 0, mine.st_ino == named.st_ino {
        do throws(HostStateError) {
          try Self.requireOwn(path, type: S_IFREG)
        } catch {
          Glibc.close(file)
          throw error
        }
        self.file = file
        return
      }
      Glibc.close(file)  // locked a journal that its owner was just removing
    }
  }

  /// Only this user may have written there.
  private static func requireOwn(_ path: String, type: mode_t) throws(HostStateError) {
    var about = stat()
    if lstat(path, &about) != 0 {
      if errno == ENOENT { return }
      throw .unusable(.last("stat \(path)"))
    }
    if about.st_mode & S_IFMT != type || about.st_uid != geteuid() || about.st_mode & 0o022 != 0 {
      throw .notOurs(path)
    }
  }

  /// Adds a line, which is on disk when this returns.
  func add(_ line: String) throws(KernelError) {
    let text = line + "\n"
    let count = text.withCString { write(file, $0, strlen($0)) }
    if count != text.utf8.count { throw .last("write \(path)") }
    if fsync(file) != 0 { throw .last("fsync \(path)") }
  }

  /// The lines. One without its end is that of a run killed while it wrote it: not yet acted upon, and
  /// maybe cut short, so it is left out.
  func lines() throws(KernelError) -> [String] {
    let size = Int(lseek(file, 0, SEEK_END))
    if size <= 0 { return [] }
    var read = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      read = pread(file, buffer.baseAddress, size, 0)
      count = max(0, read)
    }
    if read < 0 { throw .last("read \(path)") }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      .dropLast().map(String.init)
  }

  /// Replaces all lines.
  func replace(with lines: [String]) throws(KernelError) {
    if ftruncate(file, 0) != 0 { throw .last("truncate \(path)") }
    for line in lines { try add(line) }
  }

  /// Gives the lock up, and removes the file unless it has lines.
  func close() {
    if (try? lines().isEmpty) == true {
      unlink(path)
      rmdir(folder)
    }
    Glibc.close(file)
  }
}
