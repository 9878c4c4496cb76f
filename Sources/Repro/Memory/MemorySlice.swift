/// One piece of a memory that several share, each with I/O of its own. Who made the whole renews it.
final class MemorySlice: Memory {
  private let whole: any Memory
  private let index: Int

  /// Piece number `index` of `whole`.
  init(_ whole: any Memory, _ index: Int) {
    self.whole = whole
    self.index = index
  }

  var base: UnsafeMutableRawPointer { whole.base + index * whole.stride }
  var length: Int { whole.stride }
  var stride: Int { whole.stride }
  var isFilled: Bool { whole.isFilled }
  var isZero: Bool { whole.isZero }

  func renew() {}

  func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) throws(KernelError) -> Proof {
    try whole.prove(entries, flags)
  }

  func replace(_ address: UnsafeMutableRawPointer) throws(KernelError) { try whole.replace(address) }
}
