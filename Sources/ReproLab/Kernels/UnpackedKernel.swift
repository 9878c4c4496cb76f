import Foundation

extension Kernel {
  /// The kernel in a tree that packages were unpacked to: `boot/vmlinuz-R`, or `lib/modules/R/vmlinuz`, with or
  /// without `usr` above; powerpc says `vmlinux`.
  /// - Parameters:
  ///   - architecture: what it is for; nil for x86-64.
  ///   - remedy: what to do about a tree without a kernel.
  init(unpacked tree: String, name: String, architecture: Architecture?, remedy: String) throws {
    let files = FileManager.default
    func entries(_ folder: String) -> [String] {
      ((try? files.contentsOfDirectory(atPath: "\(tree)/\(folder)")) ?? []).sorted().map {
        "\(tree)/\(folder)/\($0)"
      }
    }
    let images =
      ["boot", "usr/boot"].flatMap(entries).filter { path in
        let file = (path as NSString).lastPathComponent
        return ["vmlinuz-", "vmlinux-", "image-"].contains(where: file.hasPrefix)
      }
      + ["usr/lib/modules", "lib/modules"].flatMap(entries).flatMap { ["\($0)/vmlinuz", "\($0)/vmlinux"] }
    guard let image = images.first(where: files.fileExists(atPath:)) else {
      throw LabError("\(name) contains no kernel image", remedy: remedy)
    }
    let release = try Kernel(image: image, architecture: architecture).release
    let modules = Self.moduleFolder(of: release, under: tree)
    try self.init(name: name, image: image, modules: modules, architecture: architecture)
  }
}
