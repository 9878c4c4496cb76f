#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLOSED_AT_MOST = 16 };
static int closed_in_children[CLOSED_AT_MOST] = {[0 ... CLOSED_AT_MOST - 1] = -1};

/* Servers' threads come here too, as connections come and go. */
static int replace(int old, int new) {
  for (int i = 0; i < CLOSED_AT_MOST; i++) {
    int expected = old;
    if (__atomic_compare_exchange_n(&closed_in_children[i], &expected, new, 0, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED))
      return 0;
  }
  return -ENOSPC;
}

int ck_child_closes(int fd) { return replace(-1, fd); }
void ck_child_keeps(int fd) { replace(fd, -1); }

int ck_die_with_parent(int parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return -errno;
  return getppid() == parent ? 0 : -ESRCH;
}

/* Contiguous pages, as they mostly are, take one read. */
static void tell_entries(const struct ck_child_pages *pages, uint64_t *entries) {
  int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  size_t runs = pages->stride == size ? 1 : pages->count;
  size_t run = pages->stride == size ? pages->count : 1;
  for (size_t i = 0; i < runs; i++) {
    off_t at = (off_t)((size_t)(pages->first + i * pages->stride) / size * sizeof *entries);
    size_t want = run * sizeof *entries;
    if (map < 0 || pread(map, entries + i, want, at) != (ssize_t)want) memset(entries + i, 0, want);
  }
  if (map >= 0) close(map);
}

static void child_until_exit(int role, struct ck_child_board *board, const struct ck_child_pages *pages,
                             uint64_t *entries, char *copies, int parent) {
  /* A child that outlives its parent would keep the FUSE connection of a dead server open. */
  if (ck_die_with_parent(parent) < 0) return;
  for (int i = 0; i < CLOSED_AT_MOST; i++) {
    int fd = __atomic_load_n(&closed_in_children[i], __ATOMIC_RELAXED);
    if (fd >= 0) close(fd);
  }
  tell_entries(pages, entries);
  if (role == CK_CHILD_EXITS) return;
  uint64_t sum = 0;
  for (size_t i = 0; i < pages->count; i++) {
    char *page = pages->first + i * pages->stride;
    if (role == CK_CHILD_READS)
      for (size_t at = 0; at < pages->length; at += sizeof sum) sum += ck_load64(page + at);
    if (role == CK_CHILD_WRITES) ck_store64(page + pages->length - sizeof sum, ~(uint64_t)0);
  }
  board->seen = sum;
  ck_word_store(&board->ready, 1);
  ck_word_wake(&board->ready);
  while (!ck_word_load(&board->go)) ck_word_wait(&board->go, 0, 1000000000);
  if (role == CK_CHILD_READS)
    for (size_t i = 0; i < pages->count; i++)
      memcpy(copies + i * pages->length, pages->first + i * pages->stride, pages->length);
}

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
enum { SANITIZED = __has_feature(thread_sanitizer) };

/* The plain system call, not fork(3): its handlers take locks that another thread may hold. A child that runs under
   the thread sanitizer needs them: it waits for the sanitizer's own locks for ever, if others held them. */
#if __has_feature(thread_sanitizer)
static long plain_fork(void) { return fork(); }
#else
static long plain_fork(void) { return syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L); }
#endif

int ck_fork_child(int role, struct ck_child_board *board, const struct ck_child_pages *pages,
                  uint64_t *entries, void *copies) {
  int parent = getpid();
  long pid = plain_fork();
  if (pid < 0) return -errno;
  if (pid == 0) {
    child_until_exit(role, board, pages, entries, copies, parent);
    _exit(0);
  }
  return (int)pid;
}

int ck_reap(int pid, int64_t timeout_ns, int *status) {
  if (waitpid(pid, status, WNOHANG) == pid) return 0; /* gone already, as after a race: one call, not four */
  int handle = (int)syscall(SYS_pidfd_open, pid, 0);
  if (handle >= 0) {
    struct pollfd ended = {handle, POLLIN, 0};
    int64_t deadline = ck_now() + timeout_ns, left = timeout_ns;
    int result;
    while ((result = poll(&ended, 1, (int)(left / 1000000))) < 0 && errno == EINTR) {
      left = deadline - ck_now();
      if (left < 0) left = 0;
    }
    close(handle);
    if (result == 0) return -ETIMEDOUT;
  }
  while (waitpid(pid, status, 0) < 0)
    if (errno != EINTR) return -errno;
  return 0;
}

/* Another process than a worker has other forks, whose children may need all of it, and so has a sanitizer. */
static int hide(uintptr_t from, uintptr_t to, int advice) {
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  from = (from + size - 1) / size * size;
  to = to / size * size;
  if (SANITIZED || !ck_is_worker() || from >= to) return 0;
  /* ENOMEM: advised, but for what is not mapped (madvise(2), notes). */
  return madvise((void *)from, to - from, advice) < 0 && errno != ENOMEM ? -errno : 0;
}

/* What the C library keeps of a thread, its static TLS included, lies within this of pthread_self(). */
enum { THREAD_DATA = 16 << 10 };

int ck_hide_heap(void) {
  extern char end[]; /* of the program; the heap lies above */
  uintptr_t from = (uintptr_t)end, to = (uintptr_t)sbrk(0), self = (uintptr_t)pthread_self();
  /* In a static executable the first thread's data is at the start of the heap. */
  if (self >= from && self < to) from = self + THREAD_DATA;
  return hide(from, to, MADV_DONTFORK);
}

void ck_one_heap(void) {
  enum { AHEAD = 4 << 20 }; /* so that it seldom grows, by a piece that is not hidden yet */
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TOP_PAD, AHEAD);
}

int ck_hide_stack(int hidden) {
  pthread_attr_t attributes;
  void *at = NULL;
  size_t size = 0;
  int result = pthread_getattr_np(pthread_self(), &attributes);
  if (result == 0) {
    result = pthread_attr_getstack(&attributes, &at, &size);
    pthread_attr_destroy(&attributes);
  }
  if (result != 0) return -result;
  return hide((uintptr_t)at, (uintptr_t)at + size, hidden ? MADV_DONTFORK : MADV_DOFORK);
}

int ck_fork(void) {
  pid_t pid = fork();
  return pid < 0 ? -errno : pid;
}
