import CKernel
import Glibc
import SystemPackage

/// A direct write to other bytes of the page of the page cache that is the buffer of a direct read.
/// See ``drawing``.
/// A direct write drops the range's pages from the page cache, whoever has them (invalidate_inode_pages2_range), since
/// they are older than the disk from then on. open(2) warns of mixing mmap(2) of a file with direct I/O to it, even to
/// other bytes of a page, so that what is lost here is the caller's own doing by the letter; it is a loss all the same,
/// in silence, and on every kernel.
final class WriteToBufferHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard
    read(fd, buf) ------------->  takes P1, a page of file
                                  F's page cache
                                                            write(F, O_DIRECT) to P1's last 512 bytes:
                                                            P1 is dropped from the page cache, and
                                                            nothing is mapped at buf
                                  I/O completes into P1,
                                  which is nobody's
    verify: a fault reads buf's page from the disk: LOST READ
    """

  static let guards = [spares]
  private static let spares = Guard(
    "invalidation-spares-buffers",
    "a direct write left the page in the page cache while the I/O had it, and dropped it afterwards")
  let refusal: Guard? = spares
  let replacesFrames = true

  /// Bytes written, at the end of each page: those that stand there already, so that only the dropping matters.
  private static let length = 512

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    guard let file = pages.memory.backing else {
      throw KernelError("write to the buffer", .badFileDescriptor)
    }
    let block = UnsafeMutableRawPointer.allocate(byteCount: Self.length, alignment: kernelPageSize)
    defer { block.deallocate() }
    let before = try pages.entries()
    for address in pages.addresses {
      let from = address + pages.size - Self.length
      memcpy(block, from, Self.length)
      let count = pwrite(file.direct, block, Self.length, file.offset(of: from))
      if count < 0, errno == EINVAL {
        return [.noEffect("the file system writes no \(Self.length) bytes directly")]
      }
      if count != Self.length { throw .last("write to the buffer's file") }
    }
    return zip(before, try pages.entries()).map { before, after in
      after.frame == before.frame
        ? .refused("the direct write left the page where it was")
        : .applied("pagemap: the direct write took the page away")
    }
  }

  /// A page that was taken away under I/O was not guarded.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}
