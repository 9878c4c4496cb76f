import Foundation

@testable import ReproLab

/// A guest program of a few lines in C, so that the lab is tested without the suite that it is made for.
enum TinyInit {
  /// Compiles it into a folder and returns its path.
  static func build(in folder: ScratchFolder) async throws -> String {
    let source = folder.appending("init.c")
    try Self.source.write(toFile: source, atomically: true, encoding: .utf8)
    let compiler = HostTool(name: "cc", package: "gcc libc6-dev")
    let outcome = try await compiler.run(["-static", "-O1", "-w", "-o", folder.appending("init"), source])
    guard outcome.succeeded else { throw LabError(outcome.errors, remedy: "apt-get install gcc libc6-dev") }
    return folder.appending("init")
  }

  private static let source = """
    #define _GNU_SOURCE
    #include <dirent.h>
    #include <errno.h>
    #include <fcntl.h>
    #include <stdio.h>
    #include <string.h>
    #include <sys/mount.h>
    #include <sys/reboot.h>
    #include <sys/syscall.h>
    #include <unistd.h>

    static int loadModule(const char *name) {
      char path[512];
      snprintf(path, sizeof path, "/modules/%s", name);
      int fd = open(path, O_RDONLY);
      int failure = syscall(SYS_finit_module, fd, "", 0) ? errno : 0;
      close(fd);
      return failure;
    }

    int main(void) {
      mount("proc", "/proc", "proc", 0, 0);
      mount("sys", "/sys", "sysfs", 0, 0);
      mount("dev", "/dev", "devtmpfs", 0, 0);
      char plan[64] = "";
      read(open("/plan", O_RDONLY), plan, sizeof plan - 1);
      if (!strcmp(plan, "die")) return 3;

      int port = open("/dev/ttyS1", O_WRONLY | O_NOCTTY);
      struct dirent **modules;
      int count = scandir("/modules", &modules, 0, alphasort);
      for (int i = 0; i < count; i++)
        if (modules[i]->d_name[0] != '.')
          dprintf(port, "{\\"event\\":\\"module\\",\\"name\\":\\"%s\\",\\"errno\\":%d}\\n", modules[i]->d_name,
                  loadModule(modules[i]->d_name));
      const char *paths[] = {"/dev/vda", "/dev/vdb", "/dev/fuse", "/dev/loop-control",
                             "/sys/devices/system/node/node1"};
      for (int i = 0; i < 5; i++)
        dprintf(port, "{\\"event\\":\\"path\\",\\"name\\":\\"%s\\",\\"there\\":%d}\\n", paths[i],
                access(paths[i], F_OK) == 0);

      while (!strcmp(plan, "hang")) pause();
      if (!strcmp(plan, "crash")) write(open("/proc/sysrq-trigger", O_WRONLY), "c", 1);
      if (strcmp(plan, "silent"))
        dprintf(port, "{\\"event\\":\\"exit\\",\\"status\\":%d}\\n", !strcmp(plan, "fail"));
      reboot(RB_POWER_OFF);
    }
    """
}
