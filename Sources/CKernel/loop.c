#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* linux/loop.h, Linux 5.8. */
#ifndef LOOP_CONFIGURE
struct loop_config {
  uint32_t fd, block_size;
  struct loop_info64 info;
  uint64_t reserved[8];
};
#define LOOP_CONFIGURE 0x4C0A
#endif

static int attach(int control, int backing, uint32_t block_size, const char **step) {
  *step = "loop device: ioctl LOOP_CTL_GET_FREE";
  int number = ioctl(control, LOOP_CTL_GET_FREE);
  if (number < 0) return -errno;
  char path[32];
  snprintf(path, sizeof path, "/dev/loop%d", number);
  *step = "loop device: open";
  int device = open(path, O_RDWR | O_CLOEXEC | O_DIRECT);
  if (device < 0) return -errno;
  struct loop_config config;
  memset(&config, 0, sizeof config);
  config.fd = (uint32_t)backing;
  config.block_size = block_size;
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  *step = "loop device: ioctl LOOP_CONFIGURE";
  if (ioctl(device, LOOP_CONFIGURE, &config) < 0) {
    int error = errno;
    close(device);
    return -error;
  }
  return device;
}

int ck_loop_open(int backing, uint32_t block_size, const char **step) {
  *step = "loop device: open /dev/loop-control";
  int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0) return -errno;
  /* Another process may take the free device first. */
  int device;
  do {
    device = attach(control, backing, block_size, step);
  } while (device == -EBUSY);
  close(control);
  return device;
}
