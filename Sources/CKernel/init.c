#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int ck_mount_from(const char *source, const char *type, const char *folder) {
  mkdir(folder, 0755);
  if (mount(source, folder, type, 0, NULL) < 0 && errno != EBUSY) return -errno;
  return 0;
}

int ck_mount_cgroup(const char *controller, const char *folder) {
  mkdir(folder, 0755);
  if (mount("cgroup", folder, "cgroup", 0, controller) < 0 && errno != EBUSY) return -errno;
  return 0;
}

int ck_mount(const char *type, const char *folder) { return ck_mount_from(type, type, folder); }

/* The Swift runtime reads /proc/self before main and aborts without it, so an init process has to
 * mount /proc in a constructor. It must not touch the environment: that would empty the arguments. */
__attribute__((constructor(101))) static void mount_proc_early(void) {
  if (getpid() == 1) ck_mount("proc", "/proc");
}

int ck_load_module(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int result = syscall(SYS_finit_module, fd, "", 0) < 0 ? -errno : 0;
  close(fd);
  return result;
}

int ck_loopback_up(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  int result = ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
  close(fd);
  return result;
}

int ck_power_off(void) {
  sync();
  return reboot(RB_POWER_OFF) < 0 ? -errno : 0;
}
