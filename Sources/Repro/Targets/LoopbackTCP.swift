import CKernel
import Glibc

/// TCP on 127.0.0.1 for a server in this process. No forked child keeps a socket of it.
package enum LoopbackTCP {
  /// Listens on a port that the kernel chooses.
  static func listen() throws(KernelError) -> (listener: CInt, port: UInt16) {
    let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    if listener < 0 { throw .last("make a TCP socket") }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && Glibc.listen(listener, 16) == 0
          && getsockname(listener, $0, &length) == 0
      }
    }
    if !isListening {
      let error = KernelError.last("listen on 127.0.0.1")
      Glibc.close(listener)
      throw error
    }
    _ = ck_child_closes(listener)
    return (listener, UInt16(bigEndian: address.sin_port))
  }

  /// The connection that waits, if one still does.
  static func accept(_ listener: CInt) -> CInt? {
    let connection = Glibc.accept(listener, nil, nil)
    if connection < 0 { return nil }
    _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
    // A reply's last segment must not wait for an acknowledgement of those before it.
    var isOn: CInt = 1
    setsockopt(connection, CInt(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<CInt>.size))
    // A peer that reads no more must not hold up this process.
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    _ = ck_child_closes(connection)
    return connection
  }

  /// Sends all of it by any stream socket, or says false with errno set.
  package static func send(_ bytes: [UInt8], to connection: CInt) -> Bool {
    bytes.withUnsafeBytes { bytes in
      var sent = 0
      while sent < bytes.count {
        let count = Glibc.send(
          connection, bytes.baseAddress! + sent, bytes.count - sent, CInt(MSG_NOSIGNAL))
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return false }
        sent += count
      }
      return true
    }
  }

  /// Ends it for whoever has it open, and closes it here.
  static func close(_ socket: CInt) {
    ck_child_keeps(socket)
    shutdown(socket, CInt(SHUT_RDWR))
    Glibc.close(socket)
  }
}
