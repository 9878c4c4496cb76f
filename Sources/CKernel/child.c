#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLOSED_AT_MOST = 8 };
static int closed_in_children[CLOSED_AT_MOST] = {-1, -1, -1, -1, -1, -1, -1, -1};

static void replace(int old, int new) {
  for (int i = 0; i < CLOSED_AT_MOST; i++)
    if (closed_in_children[i] == old) {
      closed_in_children[i] = new;
      return;
    }
}

void ck_child_closes(int fd) { replace(-1, fd); }
void ck_child_keeps(int fd) { replace(fd, -1); }

int ck_die_with_parent(int parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return -errno;
  return getppid() == parent ? 0 : -ESRCH;
}

static void child_until_exit(int role, struct ck_child_board *board, const void *page, void *copy,
                             size_t length, int parent) {
  /* A child that outlives its parent would keep the FUSE connection of a dead server open. */
  if (ck_die_with_parent(parent) < 0) return;
  for (int i = 0; i < CLOSED_AT_MOST; i++)
    if (closed_in_children[i] >= 0) close(closed_in_children[i]);
  if (role == CK_CHILD_EXITS) return;
  if (role == CK_CHILD_READS) {
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i += sizeof sum) sum += ck_load64((const char *)page + i);
    board->seen = sum;
  }
  ck_word_store(&board->ready, 1);
  ck_word_wake(&board->ready);
  while (!ck_word_load(&board->go)) ck_word_wait(&board->go, 0, 1000000000);
  if (role == CK_CHILD_READS) memcpy(copy, page, length);
}

/* The plain system call, not fork(3): its handlers take locks that another thread may hold. */
static long plain_fork(void) { return syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L); }

int ck_fork_child(int role, struct ck_child_board *board, const void *page, void *copy, size_t length) {
  int parent = getpid();
  long pid = plain_fork();
  if (pid < 0) return -errno;
  if (pid == 0) {
    child_until_exit(role, board, page, copy, length, parent);
    _exit(0);
  }
  return (int)pid;
}

int ck_reap(int pid, int64_t timeout_ns, int *status) {
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

int ck_fork(void) {
  pid_t pid = fork();
  return pid < 0 ? -errno : pid;
}
