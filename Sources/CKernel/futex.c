#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

uint32_t ck_word_load(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
void ck_word_store(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
uint32_t ck_word_add(uint32_t *word, uint32_t value) {
  return __atomic_add_fetch(word, value, __ATOMIC_ACQ_REL);
}

/* Not FUTEX_PRIVATE: parent and child wait on the same word. */
void ck_word_wake(uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, 1 << 30, NULL, NULL, 0); }

int ck_word_wait(const uint32_t *word, uint32_t value, int64_t timeout_ns) {
  struct timespec limit = {timeout_ns / 1000000000, timeout_ns % 1000000000};
  if (syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0) == 0 || errno == EAGAIN) return 0;
  return -errno;
}
