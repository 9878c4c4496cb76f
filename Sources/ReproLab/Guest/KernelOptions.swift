/// The options of a kernel's configuration that guests need; the list in docs/developer.md is this one.
public enum KernelOptions {
  /// Without these a guest does not boot, does not report, or can't hold an I/O.
  public static let boot = [
    "64BIT", "SMP", "BLK_DEV_INITRD", "BINFMT_ELF", "DEVTMPFS", "PROC_FS", "SYSFS", "TMPFS", "TTY",
    "SERIAL_8250", "SERIAL_8250_CONSOLE", "PCI", "VIRTIO_PCI", "VIRTIO_BLK", "FUSE_FS",
    "PROC_PAGE_MONITOR", "FUTEX", "EPOLL", "SIGNALFD", "EVENTFD", "FILE_LOCKING", "MULTIUSER",
  ]

  /// What some parts need besides: without it their cases are skipped.
  public static let parts: [(option: String, use: String)] = [
    ("BLK_DEV_LOOP", "target held-block"), ("AIO", "engine libaio"), ("IO_URING", "engines io_uring*"),
    ("SWAP", "pageout"), ("KSM", "ksm"), ("NUMA", "move_pages, with MIGRATION and ACPI_NUMA"),
    ("MIGRATION", "move_pages"), ("ACPI_NUMA", "two nodes"),
    ("COMPACTION", "compaction"), ("NUMA_BALANCING", "numa-balancing"), ("CPUSETS", "cpuset-mems"),
    ("MEMCG", "memcg-reclaim, ksm-cgroups"), ("MEMORY_FAILURE", "soft-offline"),
    ("MEM_SOFT_DIRTY", "soft-dirty; offered only with CHECKPOINT_RESTORE"),
    ("CHECKPOINT_RESTORE", "MEM_SOFT_DIRTY"),
    ("TRANSPARENT_HUGEPAGE", "memory thp"), ("HUGETLBFS", "memory hugetlb"), ("MEMFD_CREATE", "memory memfd"),
    ("USERFAULTFD", "target scratch, staged"), ("INET", "target held-nfs"), ("NFS_FS", "target held-nfs"),
    ("NFS_V3", "target held-nfs"),
  ]

  /// One line for who has a kernel that does not boot.
  public static let text =
    "a guest needs CONFIG_" + boot.joined(separator: ", ") + ", and for all scenarios "
    + parts.map(\.option).joined(separator: ", ")
}
