#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static volatile sig_atomic_t noted;
/* The worker's, once it notes crashes. */
static struct ck_last_words *words;
static pid_t worker;

static void note(int number) {
  noted = number;
  if (ck_is_worker()) ck_word_store(&words->stop, (uint32_t)number);
}

void ck_note_interrupts(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = note;
  /* No SA_RESTART: a blocked call returns EINTR, so that the wait around it looks again. */
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
  sigaction(SIGQUIT, &action, NULL);
}

int ck_interrupted(void) { return (int)noted; }

/* All signals that make a core dump (signal(7)), but for SIGQUIT, which is a request to stop. */
static const struct {
  int number;
  const char *name;
} deadly[] = {{SIGSEGV, "SIGSEGV"}, {SIGILL, "SIGILL"},   {SIGBUS, "SIGBUS"},
              {SIGFPE, "SIGFPE"},   {SIGABRT, "SIGABRT"}, {SIGTRAP, "SIGTRAP"},
              {SIGSYS, "SIGSYS"},   {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"}};
enum { DEADLY = sizeof deadly / sizeof *deadly };

/* What snprintf(3) would do, which is not async-signal-safe. */
struct line {
  size_t length;
  char text[128];
};

static void add(struct line *line, const char *text) {
  while (*text && line->length < sizeof line->text) line->text[line->length++] = *text++;
}

static void add_number(struct line *line, uint64_t number, unsigned int base) {
  char digits[24], *first = digits + sizeof digits - 1;
  *first = 0;
  do *--first = "0123456789abcdef"[number % base];
  while (number /= base);
  add(line, first);
}

static void tell(int number, const siginfo_t *about) {
  struct line line = {0};
  add(&line, "repro: the harness crashed: ");
  for (int i = 0; i < DEADLY; i++)
    if (deadly[i].number == number) add(&line, deadly[i].name);
  if (about->si_code > 0 && about->si_code < SI_KERNEL) { /* a fault whose address is known */
    add(&line, " at 0x");
    add_number(&line, (uint64_t)(uintptr_t)about->si_addr, 16);
  } else if (about->si_code <= 0 && about->si_pid != worker) {
    add(&line, ", sent by process ");
    add_number(&line, (uint64_t)about->si_pid, 10);
  }
  add(&line, "\n");
  /* A reader that is not there must not keep us: the supervisor tells the signal, too. */
  struct pollfd ready = {STDERR_FILENO, POLLOUT, 0};
  if (poll(&ready, 1, 0) > 0 && write(STDERR_FILENO, line.text, line.length) < 0) return;
}

/* On any thread, at any point. One that comes while another is at it, on a second thread or in `tell`
 * itself, ends it there. */
static void crashed(int number, siginfo_t *about, void *context) {
  (void)context;
  if (getpid() != worker) { /* a forked child, whose parent goes on */
    signal(number, SIG_DFL);
    kill(getpid(), number);
    return;
  }
  uint32_t none = 0;
  if (__atomic_compare_exchange_n(&words->signal, &none, (uint32_t)number, 0, __ATOMIC_ACQ_REL,
                                  __ATOMIC_ACQUIRE))
    tell(number, about);
  for (;;) kill(worker, SIGKILL);
}

/* Not touched before it is needed; the largest signal frame (AMX) takes 11 KiB. */
enum { CRASH_STACK = 64 << 10 };

void *ck_crash_stack(void) {
  if (!words) return NULL;
  const int flags = MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE;
  void *at = mmap(NULL, CRASH_STACK, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (at == MAP_FAILED) return NULL;
  const stack_t stack = {.ss_sp = at, .ss_size = CRASH_STACK};
  sigaltstack(&stack, NULL);
  return at;
}

void ck_crash_stack_end(void *stack) {
  if (!stack) return;
  const stack_t none = {.ss_flags = SS_DISABLE};
  sigaltstack(&none, NULL);
  munmap(stack, CRASH_STACK);
}

static sigset_t all_deadly(void) {
  sigset_t all;
  sigemptyset(&all);
  for (int i = 0; i < DEADLY; i++) sigaddset(&all, deadly[i].number);
  return all;
}

void ck_block_crashes(sigset_t *before) {
  const sigset_t all = all_deadly();
  sigprocmask(SIG_BLOCK, &all, before);
}

int ck_is_worker(void) { return words && getpid() == worker; }

int ck_note_crashes(struct ck_last_words *shared) {
  words = shared;
  worker = getpid();
  ck_crash_stack();
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = crashed;
  /* SA_NODEFER and an empty mask: a fault while its signal is blocked ends the process at once, with a
   * core dump (kernel/signal.c, force_sig_info_to_task). */
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (int i = 0; i < DEADLY; i++)
    if (sigaction(deadly[i].number, &action, NULL) < 0) return -errno;
  const sigset_t all = all_deadly();
  sigprocmask(SIG_UNBLOCK, &all, NULL); /* as whoever started us may have left them */
  /* Where the kernel can't run the handler, as on a stack that overflows without another one, it ends the
   * process itself; one that is not dumpable without waiting for its threads (fs/coredump.c, vfs_coredump
   * before coredump_wait). /proc/self then belongs to root, which only root can do with. */
  if (geteuid() == 0 && prctl(PR_SET_DUMPABLE, 0) < 0) return -errno;
  return 0;
}

void ck_tell_connection(uint32_t connection) {
  if (words) ck_word_store(&words->connection, connection);
}

void ck_tell_loss(void) {
  if (words) ck_word_store(&words->proven, 1);
}
