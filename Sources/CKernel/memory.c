#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

void ck_store64(void *at, uint64_t value) { *(volatile uint64_t *)at = value; }
void ck_store8(void *at, uint8_t value) { *(volatile uint8_t *)at = value; }
uint64_t ck_load64(const void *at) { return *(const volatile uint64_t *)at; }
uint8_t ck_load8(const void *at) { return *(const volatile uint8_t *)at; }

void ck_compiler_barrier(const void *region) { __asm__ volatile("" : : "r"(region) : "memory"); }

uint64_t ck_store_until(void *first, size_t stride, uint32_t places, const uint64_t *values, uint32_t rounds,
                        const uint32_t *stop) {
  /* Three threads on perhaps two CPUs: one that never yields keeps the others from starting in time. */
  enum { STORES_BEFORE_YIELD = 64 };
  uint64_t stores = 0;
  do {
    uint32_t place = (uint32_t)(stores % places);
    uint32_t round = (uint32_t)(stores / places % rounds);
    *(volatile uint64_t *)((char *)first + place * stride) = values[place * rounds + round];
    stores++;
    if (stores % STORES_BEFORE_YIELD == 0) sched_yield();
  } while (stores < places || !__atomic_load_n(stop, __ATOMIC_ACQUIRE));
  return stores;
}

void ck_spin(const uint32_t *go) {
  while (!__atomic_load_n(go, __ATOMIC_ACQUIRE)) __asm__ volatile("" : : : "memory");
}

int ck_remap_over(void *from, size_t length, void *to) {
  void *moved = mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to);
  return moved == MAP_FAILED ? -errno : 0;
}

int ck_map(size_t length, int shared, void **out) {
  int flags = MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE);
  void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (at == MAP_FAILED) return -errno;
  *out = at;
  return 0;
}
