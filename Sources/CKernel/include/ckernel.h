/*
 * What Swift cannot call (variadic or unimported system calls), must not do
 * (anything between fork and _exit) or would optimise away (stores that only
 * another agent sees). Every function returns >= 0, or -errno; none sets errno
 * as its answer.
 */
#pragma once

#include <linux/fuse.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- memory.c: stores, loads and mappings the optimiser must not touch --- */

/* Volatile access: the kernel or another thread is the other party. */
void ck_store64(void *at, uint64_t value);
uint64_t ck_load64(const void *at);
uint8_t ck_load8(const void *at);
/* Nothing read before this call may stand in for a read after it. */
void ck_compiler_barrier(const void *region);

/* Stores values[0], values[1], ... values[0], ... to `at`, at least once, until *stop is not 0.
 * Returns the number n of stores: the last one stored values[(n - 1) % count]. */
uint64_t ck_store_until(void *at, const uint64_t *values, uint32_t count, const uint32_t *stop);

/* mremap(2) with MREMAP_MAYMOVE | MREMAP_FIXED: moves the mapping at `from` over `to`. */
int ck_remap_over(void *from, size_t length, void *to);
/* Anonymous memory, private or shared with children. */
int ck_map(size_t length, int shared, void **out);

/* madvise(2) advice, absent from older headers. */
enum {
  CK_MADV_PAGEOUT = 21,
};

/* --- call.c: system calls --- */

int64_t ck_now(void); /* CLOCK_MONOTONIC, nanoseconds */
int ck_o_direct(void);
int ck_o_tmpfile(void);
ssize_t ck_preadv2(int fd, void *buffer, size_t length, int64_t offset);
ssize_t ck_pwritev2(int fd, const void *buffer, size_t length, int64_t offset);
/* move_pages(2) of one page of this process; *status is the node, or -errno. node < 0 only asks. */
int ck_move_page(void *page, int node, int *status);
int ck_swapon(const char *path);
int ck_swapoff(const char *path);
int ck_unshare_files(void);
/* The calling thread, and threads it makes from then on, stay on the CPU they are on; the
 * second lets it run where it could before the first. */
int ck_stay_on_cpu(void);
int ck_leave_cpu(void);
int ck_block_device_bytes(int fd, uint64_t *bytes);
int ck_block_device_sector(int fd, uint32_t *bytes);
/* statx(2) STATX_DIOALIGN, Linux 6.1: memory and file-offset alignment of direct I/O, 0 when
 * the file has none; -ENODATA when the kernel cannot say. */
int ck_direct_alignment(int fd, uint32_t *memory, uint32_t *offset);

/* --- futex.c: one 32-bit counter that threads, or parent and child, wait on --- */

uint32_t ck_word_load(const uint32_t *word);
void ck_word_store(uint32_t *word, uint32_t value);
uint32_t ck_word_add(uint32_t *word, uint32_t value); /* returns the new value */
void ck_word_wake(uint32_t *word);
/* Waits while *word == value; 0 when it may have changed, -ETIMEDOUT, -EINTR. */
int ck_word_wait(const uint32_t *word, uint32_t value, int64_t timeout_ns);

/* --- child.c: fork, and all a child does until _exit --- */

enum ck_child_role {
  CK_CHILD_EXITS = 0, /* exits at once */
  CK_CHILD_STAYS = 1, /* keeps its copy of the address space until *go */
  CK_CHILD_READS = 2, /* reads the page, stays, and after *go copies what it sees */
};

/* Lives in memory that parent and child share. */
struct ck_child_board {
  uint32_t ready; /* child: has done what its role asks for while the I/O is in flight */
  uint32_t go;    /* parent: the I/O is over */
  uint64_t seen;  /* sum of the page's words, so that the read is not optimised away */
};

/* The pid, or -errno. `copy` (shared, `length` bytes) receives the child's view of `page`. */
int ck_fork_child(int role, struct ck_child_board *board, const void *page, void *copy, size_t length);
/* A descriptor that every such child closes first; at most 8. */
void ck_child_closes(int fd);
void ck_child_keeps(int fd);
/* Waits for a child's end; 0 with its wait status, or -ETIMEDOUT after which it is still there. */
int ck_reap(int pid, int64_t timeout_ns, int *status);
/* fork(2) of the whole program, for a supervisor: 0 in the child. */
int ck_fork(void);
/* Asks that this process be killed when its parent dies; -ESRCH if it is dead already. */
int ck_die_with_parent(int parent);

/* --- fuse.c: a FUSE file system without a mount point --- */

/* fsopen/fsconfig/fsmount of a file system whose root is a regular file. The O_PATH
 * descriptor of the detached mount, or -errno; *step names the call that failed. */
int ck_fuse_mount(int device, unsigned int uid, unsigned int gid, const char **step);
/* Makes a user and a mount namespace in which this uid is root. Single-threaded callers only. */
int ck_enter_user_namespace(const char **step);

/* --- signal.c --- */

/* SIGINT, SIGTERM, SIGHUP and SIGQUIT are noted instead of ending the process. */
void ck_note_interrupts(void);
/* The signal noted, or 0. */
int ck_interrupted(void);

/* --- init.c: what an init process does --- */

/* mount(2) of a pseudo file system on a folder that is made if it is missing; busy is no error. */
int ck_mount(const char *type, const char *folder);
/* finit_module(2); -EEXIST when it is loaded already. */
int ck_load_module(const char *path);
/* ioctl(SIOCSIFFLAGS): brings the loopback interface up. */
int ck_loopback_up(void);
/* Syncs and switches the machine off; returns only on failure. */
int ck_power_off(void);

/* --- loop.c: a block device over a file --- */

/* Attaches `backing` to a free loop device that detaches itself at its last close, and opens it with
 * O_RDWR | O_DIRECT: the descriptor, or -errno with *step naming the call. */
int ck_loop_open(int backing, const char **step);
