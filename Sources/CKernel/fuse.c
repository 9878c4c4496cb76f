#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int ck_fuse_mount(int device, unsigned int uid, unsigned int gid, const char **step) {
  char fd_text[16], uid_text[16], gid_text[16];
  snprintf(fd_text, sizeof fd_text, "%d", device);
  snprintf(uid_text, sizeof uid_text, "%u", uid);
  snprintf(gid_text, sizeof gid_text, "%u", gid);
  const struct ck_mount_option options[] = {
      {"source", "repro"},    {"fd", fd_text},        {"rootmode", "100000"},
      {"user_id", uid_text}, {"group_id", gid_text},
  };
  return ck_mount_detached("fuse", options, sizeof options / sizeof *options, step);
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
  const char *step;
  int control = ck_mount_detached("fusectl", NULL, 0, &step);
  if (control < 0) return control;
  char path[32];
  snprintf(path, sizeof path, "%u/abort", connection);
  int result = write_whole(control, path, "1");
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
