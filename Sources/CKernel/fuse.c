#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/mount.h, Linux 5.2; spelled out because glibc's sys/mount.h clashes with it. */
enum { FSOPEN_CLOEXEC_ = 1, FSMOUNT_CLOEXEC_ = 1 };
enum { FSCONFIG_SET_STRING_ = 1, FSCONFIG_CMD_CREATE_ = 6 };
enum { MOUNT_ATTR_NOSUID_ = 2, MOUNT_ATTR_NODEV_ = 4, MOUNT_ATTR_NOEXEC_ = 8 };

static int set(int context, const char *key, const char *value) {
  return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING_, key, value, 0);
}

static int set_number(int context, const char *key, unsigned int value) {
  char text[16];
  snprintf(text, sizeof text, "%u", value);
  return set(context, key, text);
}

int ck_fuse_mount(int device, unsigned int uid, unsigned int gid, const char **step) {
  *step = "fsopen fuse";
  int context = (int)syscall(SYS_fsopen, "fuse", FSOPEN_CLOEXEC_);
  if (context < 0) return -errno;
  int mount = -1;
  *step = "fsconfig fuse";
  if (set(context, "source", "repro") == 0 && set_number(context, "fd", (unsigned int)device) == 0 &&
      set(context, "rootmode", "100000") == 0 && set_number(context, "user_id", uid) == 0 &&
      set_number(context, "group_id", gid) == 0 &&
      syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE_, NULL, NULL, 0) == 0) {
    *step = "fsmount fuse";
    mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC_,
                         MOUNT_ATTR_NOSUID_ | MOUNT_ATTR_NODEV_ | MOUNT_ATTR_NOEXEC_);
  }
  int result = mount < 0 ? -errno : mount;
  close(context);
  return result;
}

int ck_fuse_connection(int mount) {
  struct statx about;
  /* Synced, it would be a request (fs/fuse/dir.c, fuse_update_get_attr). */
  if (statx(mount, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &about) < 0) return -errno;
  return (int)about.stx_dev_minor; /* fs/fuse/control.c, fuse_ctl_add_conn: major 0 */
}

static int write_whole(int folder, const char *path, const char *text) {
  int fd = openat(folder, path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  ssize_t written = write(fd, text, strlen(text));
  int result = written < 0 ? -errno : 0;
  close(fd);
  return result;
}

int ck_fuse_abort(uint32_t connection) {
  /* Where it is mounted, if at all, is the administrator's affair. */
  int context = (int)syscall(SYS_fsopen, "fusectl", FSOPEN_CLOEXEC_);
  if (context < 0) return -errno;
  int control = -1;
  if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE_, NULL, NULL, 0) == 0)
    control = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC_, 0);
  int result = -errno;
  close(context);
  if (control < 0) return result;
  char path[32];
  snprintf(path, sizeof path, "%u/abort", connection);
  result = write_whole(control, path, "1");
  close(control);
  return result;
}

int ck_enter_user_namespace(const char **step) {
  char uid_map[32], gid_map[32];
  snprintf(uid_map, sizeof uid_map, "0 %u 1", (unsigned int)geteuid());
  snprintf(gid_map, sizeof gid_map, "0 %u 1", (unsigned int)getegid());
  *step = "unshare user and mount namespace";
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) return -errno;
  *step = "write /proc/self/setgroups";
  int result = write_whole(AT_FDCWD, "/proc/self/setgroups", "deny");
  if (result < 0) return result;
  *step = "write /proc/self/uid_map";
  if ((result = write_whole(AT_FDCWD, "/proc/self/uid_map", uid_map)) < 0) return result;
  *step = "write /proc/self/gid_map";
  return write_whole(AT_FDCWD, "/proc/self/gid_map", gid_map);
}
