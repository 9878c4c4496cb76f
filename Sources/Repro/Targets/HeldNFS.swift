import CKernel
import Glibc
import SystemPackage

extension TargetKind {
  /// A file of an NFS server in this process.
  public static let heldNFS = TargetKind(
    "held-nfs", "a file of an NFS server in this process, which holds its reads", needs: [.nfsClient],
    schedules: [.staged], path: .nfs, c: nil,
    withoutC: "its server and the protocols that it speaks are longer than the rest of a program"
  ) { _, pattern throws(TargetError) in
    do throws(KernelError) {
      return try HeldNFS(pattern: pattern)
    } catch {
      throw .missing("no held NFS file: \(error); \(HeldNFS.remedy(error.errno))")
    }
  }
}

extension Need {
  /// The kernel's NFS client, and the right to mount.
  static let nfsClient = Need("NFS client") {
    let result = ck_file_system_known("nfs")
    if result == 0 { return nil }
    let errno = Errno(rawValue: -result)
    return "no held NFS file: fsopen nfs: \(errno); \(HeldNFS.remedy(errno))"
  }
}

/// A file whose reads stay in flight until released: the kernel's NFS client, and a server in this process.
/// ```
///  reader                     NFS client                  server
///  read(held, O_DIRECT) ----> takes buf's page, READ ---> held
///                             buf's page  <-------------- release: the data
/// ```
/// The client takes the reader's pages *before* it sends READ (fs/nfs/direct.c,
/// nfs_direct_read_schedule_iovec), by plain references up to now, and pages that are not full go in a READ
/// each: that all bytes are asked for proves that the pages are taken.
///
/// Nothing is left behind, whenever the process dies. The mount is detached (fsmount, never attached to a
/// path), so it lives as long as the descriptors and what is in flight. The sockets are in no table but the
/// server's and end with it. A reader's wait can be killed, unlike FUSE's, and closing a file that was only
/// read asks the server nothing. What a killed process leaves in flight is the kernel's for up to 12 s, until
/// the mount's timeout (`soft`) ends it; only asynchronous I/O (exit_aio) keeps the process for as long.
final class HeldNFS: Target, Hold, @unchecked Sendable {  // `descriptor` is the I/O thread's
  let name = "held-nfs"
  let path = IOPath.nfs
  let alignment = HeldContent.blockSize
  private(set) var descriptor: CInt = -1

  private let content: HeldContent
  private let requests = HeldRequests(.whole)
  private var server: NFSServer?
  private var serving: SystemThread?
  /// The detached mount, O_PATH.
  private var mount: CInt = -1
  private var isClosed = false

  var hold: (any Hold)? { self }

  /// Starts the server, and mounts what it exports.
  /// - Throws: KernelError of the step that failed, e.g. no NFS in the kernel or no right to mount.
  init(pattern: Pattern) throws(KernelError) {
    content = HeldContent(pattern: pattern)
    do throws(KernelError) {
      let server = try NFSServer(size: HeldContent.size) { [unowned self] request in take(request) }
      self.server = server
      serving = try SystemThread { server.serve() }
      var step: UnsafePointer<CChar>?
      mount = ck_nfs_mount(UInt32(server.port), &step)
      try check(mount, step.map { "mount nfs: \(String(cString: $0))" } ?? "mount nfs")
      _ = ck_child_closes(mount)
    } catch {
      close()
      throw error
    }
  }

  /// What to do about an error of ``init(pattern:)``.
  static func remedy(_ errno: Errno) -> String {
    switch errno {
    case Errno(rawValue: ENODEV), Errno(rawValue: EPROTONOSUPPORT):
      "build the kernel with CONFIG_NFS_FS and CONFIG_NFS_V3, or load the module nfsv3"
    case .permissionDenied, .notPermitted: "run as root"
    default: "this target needs an NFS client, Linux 5.6 or later"
    }
  }

  func close() {
    if isClosed { return }
    isClosed = true
    abort()
    if mount >= 0 {
      ck_child_keeps(mount)
      Glibc.close(mount)
    }
    // Last, so that whatever the client may ask on its way out has an answer.
    server?.stop()
    serving?.join()
    server?.close()
  }

  // MARK: Target

  func place(trial: Int, length: Int, _ direction: Direction) -> (offset: Int64, content: Stamp) {
    content.place(trial: trial, length: length)
  }

  func readBack(
    offset: Int64, into buffer: UnsafeMutableRawPointer, length: Int
  ) throws(KernelError) {
    content.withBytes(offset: offset, length: length) {
      buffer.copyMemory(from: $0.baseAddress!, byteCount: length)
    }
  }

  func openOnIOThread() throws(KernelError) { descriptor = try openInOwnTable() }

  func openAgain() throws(KernelError) -> CInt { try openInOwnTable() }

  /// Opens the file in the calling thread's descriptor table, which must be its own, and closes there what
  /// is the server's: its sockets must end with the process, whatever keeps this thread.
  private func openInOwnTable() throws(KernelError) -> CInt {
    for descriptor in server?.descriptors ?? [] { Glibc.close(descriptor) }
    let file = openat(mount, NFSServer.fileName, O_RDWR | O_CLOEXEC | ck_o_direct())
    if file < 0 { throw .last("open the held NFS file") }
    Glibc.close(mount)
    return file
  }

  // MARK: Holding

  func arm(_ transfer: Transfer, _ timeline: Timeline) { requests.arm(transfer, timeline) }

  func arrived(timeout: Nanoseconds) -> Bool { requests.arrived(timeout: timeout) }

  func release() throws(KernelError) {
    for request in requests.release() { try answer(request) }
  }

  func abort() {
    for request in requests.abort() { server?.fail(request.id) }
  }

  /// Holds the read if it belongs to the armed one, answers it otherwise.
  private func take(_ request: HeldRequests.Request) {
    // Nobody waits for one that is not held but its reader, who gets the kernel's error.
    if !requests.take(request) { try? answer(request) }
  }

  private func answer(_ request: HeldRequests.Request) throws(KernelError) {
    requests.mark("answers \(request.direction) of \(request.length) bytes")
    var failure: KernelError?
    content.withBytes(offset: request.offset, length: request.length) { data in
      do throws(KernelError) { try server?.answer(request, data) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
