#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/mount.h, Linux 5.2; spelled out because glibc's sys/mount.h clashes with it. */
enum { FSOPEN_CLOEXEC_ = 1, FSMOUNT_CLOEXEC_ = 1 };
enum { FSCONFIG_SET_FLAG_ = 0, FSCONFIG_SET_STRING_ = 1, FSCONFIG_CMD_CREATE_ = 6 };
enum { MOUNT_ATTR_NOSUID_ = 2, MOUNT_ATTR_NODEV_ = 4, MOUNT_ATTR_NOEXEC_ = 8 };

static int set(int context, const struct ck_mount_option *option) {
  unsigned int command = option->value ? FSCONFIG_SET_STRING_ : FSCONFIG_SET_FLAG_;
  return (int)syscall(SYS_fsconfig, context, command, option->key, option->value, 0);
}

static int create(int context, const struct ck_mount_option *options, size_t count, const char **step) {
  for (size_t i = 0; i < count; i++) {
    *step = options[i].key;
    if (set(context, &options[i]) < 0) return -errno;
  }
  *step = "fsconfig";
  if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE_, NULL, NULL, 0) < 0) return -errno;
  *step = "fsmount";
  int mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC_,
                           MOUNT_ATTR_NOSUID_ | MOUNT_ATTR_NODEV_ | MOUNT_ATTR_NOEXEC_);
  return mount < 0 ? -errno : mount;
}

int ck_file_system_known(const char *type) {
  int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC_);
  if (context < 0) return -errno;
  close(context);
  return 0;
}

int ck_mount_detached(const char *type, const struct ck_mount_option *options, size_t count,
                      const char **step) {
  *step = "fsopen";
  int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC_);
  if (context < 0) return -errno;
  int result = create(context, options, count, step);
  close(context);
  return result;
}
