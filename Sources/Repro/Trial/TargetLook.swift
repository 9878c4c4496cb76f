import Glibc

/// What stands elsewhere than in the buffer once the I/O is over: on the target, in its page cache, in other memory.
extension Judge {
  /// Compares what a direct write left on the target: before or after a store, never anything else; only after
  /// it where the target had no byte of the page when it was stored to.
  /// - Parameter stores: all values that any word was stored to.
  func lookOnTarget(_ setup: Buffer.Setup, stores: (_ page: Int) -> [Stamp]) throws(KernelError) -> [Damage] {
    guard let space = readBackBuffer?.base else { return [] }
    let layout = buffer.layout
    var damage: [Damage] = []
    for page in 0..<buffer.depth {
      let offset = setup.transfer.offset + Int64(page * layout.io.count)
      do throws(KernelError) {
        try target.readBack(offset: offset, into: space, length: layout.io.count)
      } catch {
        guard error.isOfTheData else { throw error }
        damage.append(unreadable(.disk, layout.io, .first, page, error))
        continue
      }
      damage += try differences(at: offset, page)
      let (content, fill) = (buffer.content(setup, page), buffer.fill(setup, page))
      let touch =
        if scenario.isLeftUnread, let store = stores(page).first {
          Expectation(.disk, layout.touch, expected: store, previous: fill)
        } else {
          Expectation(.disk, layout.touch, expected: fill, previous: content, or: stores(page))
        }
      damage += verifier.damage(
        in: space, [Expectation(.disk, layout.settled, expected: fill, previous: content), touch], page: page)
    }
    return damage
  }

  /// What the kernel did not give back.
  private func unreadable(
    _ region: Damage.Region, _ range: Range<Int>, _ look: Damage.Look, _ page: Int, _ error: KernelError
  ) -> Damage {
    Damage(
      kind: .unreadable, region: region, look: look, page: page, offset: range.lowerBound,
      length: range.count, expected: "", found: "", provenance: "\(error)")
  }

  /// Where the copies of a mirrored target are not the same, one entry for each that differs from the first.
  private func differences(at offset: Int64, _ page: Int) throws(KernelError) -> [Damage] {
    let copies = try target.copies(offset: offset, length: buffer.layout.io.count)
    guard let first = copies.first else { return [] }
    return copies.indices.dropFirst().compactMap { number in
      let differing = first.indices.filter { first[$0] != copies[number][$0] }
      guard let start = differing.first, let end = differing.last else { return nil }
      let shown = start..<min(start + 16, end + 1)
      return Damage(
        kind: .copiesDiffer, region: .disk, look: .first, page: page, offset: start, length: end + 1 - start,
        expected: Hex.bytes(Array(first[shown])), found: Hex.bytes(Array(copies[number][shown])),
        provenance: "copy \(number) has other bytes than copy 0")
    }
  }

  /// Whether the I/O went through the page cache or not, as it must.
  /// - Throws: TrialError.notDirect or notBuffered; then the trial exposes nothing.
  func requireWay(_ setup: Buffer.Setup) throws {
    let isCached = target.isCached(offset: setup.transfer.offset, length: setup.transfer.length)
    if scenario.caching == .none && isCached { throw TrialError.notDirect }
    if scenario.caching == .only && !isCached { throw TrialError.notBuffered }
  }

  /// What is wrong with memory besides the buffer, and with the file behind it: the I/O's data in a child's view
  /// of the page or a twin, its absence elsewhere.
  func damage(_ setup: Buffer.Setup, in views: [View]) -> [Damage] {
    let layout = buffer.layout
    let start = layout.length - kernelPageSize
    let range = max(layout.settled.lowerBound, start) - start..<layout.settled.upperBound - start
    let blocks = start / Pattern.blockSize
    return views.flatMap { view in
      var (fill, content) = (buffer.fill(setup, view.page), buffer.content(setup, view.page))
      fill.block += blocks
      content.block += blocks
      // A write's data is the fill, and what stood there before it is the content.
      let (data, before) = buffer.direction == .read ? (content, fill) : (fill, content)
      if let failure = view.failure { return [unreadable(view.region, range, .second, view.page, failure)] }
      if view.content == .either { return unlikeEither(view, range, data) }
      let want =
        view.content == .data
        ? Expectation(view.region, range, expected: data, previous: before)
        : Expectation(view.region, range, expected: before, previous: data)
      return verifier.damage(in: view.copy, [want], look: .second, page: view.page)
    }
  }

  /// The sectors of a view that are neither wholly `data` nor wholly what was there before.
  private func unlikeEither(_ view: View, _ range: Range<Int>, _ data: Stamp) -> [Damage] {
    guard let before = view.before else { return [] }
    return stride(from: range.lowerBound, to: range.upperBound, by: Pattern.blockSize).flatMap {
      start -> [Damage] in
      let sector = start..<min(start + Pattern.blockSize, range.upperBound)
      if memcmp(view.copy + start, before + start, sector.count) == 0 { return [] }
      // A write of an earlier trial may have left its own data there.
      var old = verifier.pattern.decode(before.load(fromByteOffset: start, as: UInt64.self))?.0 ?? data
      old.block -= start / Pattern.blockSize
      let new = Expectation(view.region, sector, expected: data, previous: old)
      return verifier.damage(in: view.copy, [new], look: .second, page: view.page)
    }
  }
}
