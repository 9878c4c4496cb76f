#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A command with room for one target and its parameters. */
struct command {
  struct dm_ioctl head;
  struct dm_target_spec target;
  char parameters[512];
};

static int ask(unsigned long request, struct command *command, const char *name, uint32_t flags) {
  command->head.version[0] = DM_VERSION_MAJOR;
  command->head.data_size = sizeof *command;
  command->head.data_start = offsetof(struct command, target);
  command->head.flags = flags;
  if (strlen(name) >= sizeof command->head.name) return -ENAMETOOLONG;
  strcpy(command->head.name, name);
  int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
  if (control < 0) return -errno;
  int result = ioctl(control, request, command) < 0 ? -errno : 0;
  close(control);
  return result;
}

int ck_dm_create(const char *name, const char *type, const char *parameters, uint64_t sectors) {
  struct command create, load, resume;
  memset(&create, 0, sizeof create);
  memset(&load, 0, sizeof load);
  memset(&resume, 0, sizeof resume);
  if (strlen(type) >= sizeof load.target.target_type || strlen(parameters) >= sizeof load.parameters)
    return -E2BIG;
  int result = ask(DM_DEV_CREATE, &create, name, 0);
  if (result < 0) return result;
  load.head.target_count = 1;
  load.target.length = sectors;
  strcpy(load.target.target_type, type);
  strcpy(load.parameters, parameters);
  result = ask(DM_TABLE_LOAD, &load, name, 0);
  if (result == 0) result = ask(DM_DEV_SUSPEND, &resume, name, 0); /* without the flag it resumes */
  if (result < 0) {
    struct command remove;
    memset(&remove, 0, sizeof remove);
    ask(DM_DEV_REMOVE, &remove, name, 0);
    return result;
  }
  return (int)minor(create.head.dev);
}

int ck_dm_suspend(const char *name, int on) {
  struct command command;
  memset(&command, 0, sizeof command);
  return ask(DM_DEV_SUSPEND, &command, name, on ? DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG : 0);
}
