#define _GNU_SOURCE
#include "ckernel.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SQ, CQ, SQES, MAPS };

struct ck_uring {
  int fd;
  int vectored; /* Linux before 5.6: no IORING_OP_READ, no IORING_OP_WRITE */
  uint32_t entries, outstanding, tail, sq_mask, cq_mask;
  uint32_t *sq_head, *sq_tail, *cq_head, *cq_tail;
  struct io_uring_sqe *sqes;
  struct io_uring_cqe *cqes;
  struct iovec maps[MAPS];
  struct iovec parts[]; /* by tag; iov_base is NULL while the tag is free */
};

static int call(long number, const struct ck_uring *ring, long a, long b, long c) {
  long result;
  do result = syscall(number, (long)ring->fd, a, b, c, 0L, 0L);
  while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : (int)result;
}

static int map(struct ck_uring *ring, int which, size_t length, uint64_t offset) {
  void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, (off_t)offset);
  if (at == MAP_FAILED) return -errno;
  ring->maps[which] = (struct iovec){at, length};
  return 0;
}

static int map_all(struct ck_uring *ring, const struct io_uring_params *p) {
  size_t sq_length = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
  size_t cq_length = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
  const int single = (p->features & IORING_FEAT_SINGLE_MMAP) != 0;
  int error = map(ring, SQ, single && cq_length > sq_length ? cq_length : sq_length, IORING_OFF_SQ_RING);
  if (!error && !single) error = map(ring, CQ, cq_length, IORING_OFF_CQ_RING);
  if (!error) error = map(ring, SQES, p->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
  if (error) return error;
  char *sq = ring->maps[SQ].iov_base, *cq = ring->maps[single ? SQ : CQ].iov_base;
  ring->sq_head = (uint32_t *)(sq + p->sq_off.head);
  ring->sq_tail = (uint32_t *)(sq + p->sq_off.tail);
  ring->sq_mask = *(uint32_t *)(sq + p->sq_off.ring_mask);
  ring->cq_head = (uint32_t *)(cq + p->cq_off.head);
  ring->cq_tail = (uint32_t *)(cq + p->cq_off.tail);
  ring->cq_mask = *(uint32_t *)(cq + p->cq_off.ring_mask);
  ring->cqes = (struct io_uring_cqe *)(cq + p->cq_off.cqes);
  ring->sqes = ring->maps[SQES].iov_base;
  for (uint32_t i = 0; i < p->sq_entries; i++) ((uint32_t *)(sq + p->sq_off.array))[i] = i;
  return 0;
}

int ck_uring_open(uint32_t entries, struct ck_uring **out) {
  struct ck_uring *ring = calloc(1, sizeof *ring + entries * sizeof ring->parts[0]);
  if (!ring) return -ENOMEM;
  struct io_uring_params p;
  memset(&p, 0, sizeof p);
  ring->entries = entries;
  ring->fd = (int)syscall(SYS_io_uring_setup, entries, &p);
  int error = ring->fd < 0 ? -errno : map_all(ring, &p);
  ring->vectored = !(p.features & IORING_FEAT_RW_CUR_POS); /* as old as IORING_OP_READ */
  if (error) ck_uring_close(ring);
  else *out = ring;
  return error;
}

int ck_uring_close(struct ck_uring *ring) {
  int result = ck_uring_wait(ring, UINT32_MAX, NULL);
  for (int i = 0; i < MAPS; i++)
    if (ring->maps[i].iov_base) munmap(ring->maps[i].iov_base, ring->maps[i].iov_len);
  if (ring->fd >= 0) close(ring->fd);
  free(ring);
  return result < 0 ? result : 0;
}


int ck_uring_register(struct ck_uring *ring, void *address, size_t length) {
  const struct iovec part = {address, length};
  return call(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, (long)&part, 1);
}

int ck_uring_unregister(struct ck_uring *ring) {
  return call(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, 0, 0);
}

int ck_uring_queue(struct ck_uring *ring, int write, int fixed, int fd, void *address, uint32_t length,
                   int64_t offset, uint32_t tag) {
  if (tag >= ring->entries || !address) return -EINVAL;
  struct iovec *part = &ring->parts[tag];
  if (part->iov_base) return -EBUSY;
  *part = (struct iovec){address, length};
  const int vectored = ring->vectored && !fixed;
  struct io_uring_sqe *sqe = &ring->sqes[ring->tail++ & ring->sq_mask];
  memset(sqe, 0, sizeof *sqe);
  sqe->opcode = vectored ? IORING_OP_READV : fixed ? IORING_OP_READ_FIXED : IORING_OP_READ;
  if (write) sqe->opcode++; /* each write follows its read */
  sqe->fd = fd;
  sqe->addr = (uintptr_t)(vectored ? (void *)part : address);
  sqe->len = vectored ? 1 : length;
  sqe->off = (uint64_t)offset;
  sqe->user_data = tag;
  ring->outstanding++;
  return 0;
}

/* The kernel moves the head, within io_uring_enter(2), past what it has taken. */
static uint32_t queued(const struct ck_uring *ring) {
  return ring->tail - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
}

int ck_uring_submit(struct ck_uring *ring) {
  int total = 0;
  __atomic_store_n(ring->sq_tail, ring->tail, __ATOMIC_RELEASE);
  /* One that fails at once (EBADF) ends the call, its result posted. */
  for (uint32_t left; (left = queued(ring)) > 0;) {
    int result = call(SYS_io_uring_enter, ring, left, 0, 0);
    if (result <= 0) return result < 0 ? result : -EAGAIN;
    total += result;
  }
  return total;
}

int ck_uring_wait(struct ck_uring *ring, uint32_t count, int32_t *results) {
  if (!ring->outstanding) return 0;
  const uint32_t submitted = ring->outstanding - queued(ring);
  if (count > submitted) count = submitted;
  for (uint32_t seen = 0;;) {
    const uint32_t tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE);
    for (uint32_t head = *ring->cq_head; head != tail; head++, seen++, ring->outstanding--) {
      const struct io_uring_cqe *cqe = &ring->cqes[head & ring->cq_mask];
      ring->parts[cqe->user_data].iov_base = NULL;
      if (results) results[cqe->user_data] = cqe->res;
    }
    __atomic_store_n(ring->cq_head, tail, __ATOMIC_RELEASE);
    if (seen >= count) return (int)seen;
    int result = call(SYS_io_uring_enter, ring, 0, count - seen, IORING_ENTER_GETEVENTS);
    if (result < 0) return result;
  }
}
