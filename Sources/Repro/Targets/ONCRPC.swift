/// Remote procedure calls (RFC 5531) over TCP, the server's half.
enum ONCRPC {
  typealias Malformed = XDRReader.Malformed

  /// What a client asks for. Who it says it is does not matter: anybody may.
  struct Call {
    /// The client's number of the call, which the reply bears.
    let id: UInt32
    let rpcVersion: UInt32
    let program: UInt32
    let version: UInt32
    let procedure: UInt32
    var arguments: XDRReader

    init(_ record: [UInt8]) throws(Malformed) {
      arguments = XDRReader(record)
      id = try arguments.word()
      if try arguments.word() != 0 { throw Malformed() }  // a reply
      rpcVersion = try arguments.word()
      program = try arguments.word()
      version = try arguments.word()
      procedure = try arguments.word()
      for _ in ["credential", "verifier"] {
        _ = try arguments.word()
        _ = try arguments.opaque(atMost: 400)
      }
    }
  }

  /// What becomes of a call.
  enum Outcome: UInt32 {
    case success = 0
    case noProgram = 1
    case otherVersion = 2
    case noProcedure = 3
    case garbage = 4
  }

  /// The beginning of a reply; what the procedure gives back follows. See ``finish(_:)``.
  static func reply(_ id: UInt32, _ outcome: Outcome = .success) -> XDRWriter {
    var reply = XDRWriter()
    reply.word(0)  // for the record's mark
    reply.word(id)
    reply.word(1)
    reply.word(0)  // accepted
    reply.word(0)  // with a verifier of no flavour
    reply.word(0)
    reply.word(outcome.rawValue)
    return reply
  }

  /// The reply to a call of another RPC version than 2.
  static func denial(_ id: UInt32) -> XDRWriter {
    var reply = XDRWriter()
    for word in [0, id, 1, 1, 0, 2, 2] { reply.word(word) }
    return reply
  }

  /// The reply as it goes over the wire: one record of one fragment.
  static func finish(_ reply: XDRWriter) -> [UInt8] {
    var bytes = reply.bytes
    let mark = (UInt32(bytes.count - 4) | Records.last).bigEndian
    withUnsafeBytes(of: mark) { bytes.replaceSubrange(0..<4, with: $0) }
    return bytes
  }

  /// The records in a stream of bytes. Each is in fragments, with a word before each that says how long it
  /// is and whether it is the record's last.
  struct Records {
    static let last: UInt32 = 1 << 31
    /// No call that a server here knows is longer, in bytes.
    private static let longest = 1 << 14
    private var bytes: [UInt8] = []

    mutating func append(_ new: UnsafeRawBufferPointer) { bytes += new }

    /// The next record, or nil when it has not come whole.
    mutating func next() throws(Malformed) -> [UInt8]? {
      var record: [UInt8] = []
      var position = 0
      while bytes.count >= position + 4 {
        var mark = XDRReader(Array(bytes[position..<position + 4]))
        let word = try mark.word()
        let length = Int(word & ~Self.last)
        position += 4
        if record.count + length > Self.longest { throw Malformed() }
        if bytes.count < position + length { return nil }
        record += bytes[position..<position + length]
        position += length
        if word & Self.last != 0 {
          bytes.removeFirst(position)
          return record
        }
      }
      return nil
    }
  }
}
