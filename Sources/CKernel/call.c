#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static long answer(long result) { return result < 0 ? -errno : result; }

int64_t ck_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int ck_await_readable(int fd, int64_t timeout_ns) {
  struct pollfd waited = {fd, POLLIN, 0};
  struct timespec left = {timeout_ns / 1000000000, timeout_ns % 1000000000};
  int ready = ppoll(&waited, 1, timeout_ns < 0 ? NULL : &left, NULL);
  return ready < 0 && errno != EINTR ? -errno : ready > 0;
}

long ck_peer_user(int socket) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ? -errno : (long)peer.uid;
}

int ck_o_direct(void) { return O_DIRECT; }
int ck_o_tmpfile(void) { return O_TMPFILE; }

ssize_t ck_preadv2(int fd, const struct iovec *parts, int count, int64_t offset) {
  return answer(preadv2(fd, parts, count, offset, 0));
}

ssize_t ck_pwritev2(int fd, const struct iovec *parts, int count, int64_t offset) {
  return answer(pwritev2(fd, parts, count, offset, 0));
}

int ck_memfd(const char *name) { return (int)answer(memfd_create(name, MFD_CLOEXEC)); }

enum { MOVE_OWN = 1 << 1, MOVE_ALL = 1 << 2 }; /* linux/mempolicy.h, MPOL_MF_* */

int ck_move_pages(int pid, size_t count, void **pages, const int *nodes, int *status) {
  return (int)answer(syscall(SYS_move_pages, pid, count, pages, nodes, status, pid ? MOVE_ALL : MOVE_OWN));
}

long ck_thread_faults(void) {
  struct rusage usage;
  return getrusage(RUSAGE_THREAD, &usage) < 0 ? -errno : usage.ru_minflt;
}

int ck_swapon(const char *path, int first) {
  return (int)answer(swapon(path, first ? SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK : 0));
}

/* A signal ends swapoff(2) half way, with the swap still on. */
int ck_swapoff(const char *path) {
  long result;
  do result = answer(swapoff(path));
  while (result == -EINTR);
  return (int)result;
}

int ck_thread(void) { return gettid(); }

int ck_unshare_files(void) { return (int)answer(unshare(CLONE_FILES)); }

static cpu_set_t cpus_before;
static int spared;

int ck_stay_on_cpu(void) {
  if (sched_getaffinity(0, sizeof cpus_before, &cpus_before) < 0) return -errno;
  return ck_run_on_cpu(sched_getcpu());
}

int ck_spare_cpu(void) {
  if (sched_getaffinity(0, sizeof cpus_before, &cpus_before) < 0) return -errno;
  spared = sched_getcpu();
  cpu_set_t others = cpus_before;
  CPU_CLR(spared, &others);
  return CPU_COUNT(&others) == 0 ? 0 : (int)answer(sched_setaffinity(0, sizeof others, &others));
}

int ck_stay_on_spared_cpu(void) { return ck_run_on_cpu(spared); }

/* No pause instruction: an emulator leaves its code for each and takes its one lock, which other CPUs' interrupts
 * wait for; a fork took 16 ms instead of one. */
void ck_relax(int times) {
  for (int i = 0; i < times; i++)
    __asm__ volatile("" ::: "memory");
}

int ck_cpus(void) {
  cpu_set_t cpus;
  return sched_getaffinity(0, sizeof cpus, &cpus) < 0 ? -errno : CPU_COUNT(&cpus);
}

int ck_list_cpus(int *list, int room) {
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof cpus, &cpus) < 0) return -errno;
  int count = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE && count < room; cpu++)
    if (CPU_ISSET(cpu, &cpus)) list[count++] = cpu;
  return count;
}

int ck_go_to_other_cpu(void) {
  int here = sched_getcpu();
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (cpu == here || !CPU_ISSET(cpu, &cpus_before)) continue;
    return ck_run_on_cpu(cpu);
  }
  return -ENODEV;
}

int ck_run_on_cpu(int cpu) { return ck_run_on_cpus(&cpu, 1); }

int ck_run_on_cpus(const int *cpus, int count) {
  cpu_set_t there;
  CPU_ZERO(&there);
  for (int i = 0; i < count; i++) CPU_SET(cpus[i], &there);
  return (int)answer(sched_setaffinity(0, sizeof there, &there));
}

int ck_leave_cpu(void) { return (int)answer(sched_setaffinity(0, sizeof cpus_before, &cpus_before)); }

void ck_be_last(void) { setpriority(PRIO_PROCESS, (id_t)gettid(), 19); }

int ck_block_device_bytes(int fd, uint64_t *bytes) { return (int)answer(ioctl(fd, BLKGETSIZE64, bytes)); }
int ck_block_device_sector(int fd, uint32_t *bytes) { return (int)answer(ioctl(fd, BLKSSZGET, bytes)); }

int ck_direct_alignment(int fd, uint32_t *memory, uint32_t *offset) {
  /* struct statx of Linux 6.1 (linux/stat.h); older headers lack the two fields. */
  struct {
    uint32_t mask;
    uint8_t until_dio[0x98 - 4];
    uint32_t memory, offset;
    uint8_t rest[0x100 - 0xa0];
  } answerbox;
  memset(&answerbox, 0, sizeof answerbox);
  const unsigned int dioalign = 0x2000; /* STATX_DIOALIGN */
  long result = syscall(SYS_statx, fd, "", AT_EMPTY_PATH, dioalign, &answerbox);
  if (result < 0) return -errno;
  if (!(answerbox.mask & dioalign)) return -ENODATA;
  *memory = answerbox.memory;
  *offset = answerbox.offset;
  return 0;
}

int64_t ck_file_system(int fd) {
  struct statfs about;
  return fstatfs(fd, &about) < 0 ? -errno : (int64_t)(uint32_t)about.f_type;
}

int ck_no_checksums(int fd) {
  int flags = 0;
  if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) return -errno;
  flags |= FS_NOCOW_FL;
  return ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0 ? -errno : 0;
}
