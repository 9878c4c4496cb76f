#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* /dev/userfaultfd, Linux 6.1, spelled out because older headers lack it. */
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

int ck_uffd_open(void) {
  int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    int error = errno;
    int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (device < 0) return -error;
    fd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
    error = errno;
    close(device);
    if (fd < 0) return -error;
  }
  struct uffdio_api api = {.api = UFFD_API};
  if (ioctl(fd, UFFDIO_API, &api) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int ck_uffd_register(int fd, void *page, size_t length) {
  struct uffdio_register range = {
      .range = {(uint64_t)(uintptr_t)page, length}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  return ioctl(fd, UFFDIO_REGISTER, &range) < 0 ? -errno : 0;
}

int ck_uffd_wait(int fd, const void *page, size_t length, int timeout_ms) {
  struct pollfd waited = {fd, POLLIN, 0};
  int result = poll(&waited, 1, timeout_ms);
  if (result <= 0) return result < 0 && errno != EINTR ? -errno : 0;
  struct uffd_msg message;
  if (read(fd, &message, sizeof message) != sizeof message) return errno == EAGAIN ? 0 : -errno;
  uint64_t from = (uint64_t)(uintptr_t)page, at = message.arg.pagefault.address;
  return message.event == UFFD_EVENT_PAGEFAULT && at >= from && at < from + length;
}

int ck_uffd_fill(int fd, void *page, const void *source, size_t length) {
  struct uffdio_copy copy = {(uint64_t)(uintptr_t)page, (uint64_t)(uintptr_t)source, length, 0, 0};
  while (ioctl(fd, UFFDIO_COPY, &copy) < 0) {
    if (errno == EEXIST) return 0; /* there is a page by now, which will do as well */
    if (errno != EAGAIN) return -errno;
    copy.copy = 0;
  }
  return 0;
}

int ck_uffd_register_protection(int fd, void *page, size_t length) {
  struct uffdio_register range = {
      .range = {(uint64_t)(uintptr_t)page, length}, .mode = UFFDIO_REGISTER_MODE_WP};
  return ioctl(fd, UFFDIO_REGISTER, &range) < 0 ? -errno : 0;
}

int ck_uffd_protect(int fd, void *page, size_t length, int on) {
  struct uffdio_writeprotect change = {
      .range = {(uint64_t)(uintptr_t)page, length}, .mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0};
  while (ioctl(fd, UFFDIO_WRITEPROTECT, &change) < 0)
    if (errno != EAGAIN) return -errno;
  return 0;
}

int ck_uffd_unregister(int fd, void *page, size_t length) {
  struct uffdio_range range = {(uint64_t)(uintptr_t)page, length};
  return ioctl(fd, UFFDIO_UNREGISTER, &range) < 0 ? -errno : 0;
}

/* Spelled out because older headers lack it. */
struct uffd_move {
  uint64_t to, from, length, mode;
  int64_t moved;
};
#define UFFD_MOVE _IOWR(UFFDIO, 0x05, struct uffd_move)

int ck_uffd_move(int fd, void *to, void *from, size_t length) {
  struct uffd_move move = {(uint64_t)(uintptr_t)to, (uint64_t)(uintptr_t)from, length, 0, 0};
  while (ioctl(fd, UFFD_MOVE, &move) < 0)
    if (errno != EAGAIN) return -errno;
  return 0;
}
