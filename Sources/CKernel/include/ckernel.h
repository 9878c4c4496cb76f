/*
 * What Swift cannot call (variadic or unimported system calls), must not do
 * (anything between fork and _exit) or would optimise away (stores that only
 * another agent sees). A function that can fail returns >= 0, or -errno; none sets
 * errno as its answer.
 */
#pragma once

#include <linux/fuse.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* --- memory.c: stores, loads and mappings the optimiser must not touch --- */

/* Volatile access: the kernel or another thread is the other party. */
void ck_store64(void *at, uint64_t value);
void ck_store8(void *at, uint8_t value);
uint64_t ck_load64(const void *at);
uint8_t ck_load8(const void *at);
/* Nothing read before this call may stand in for a read after it. */
void ck_compiler_barrier(const void *region);

/* Stores to `places` words, `stride` bytes apart, in turn, until *stop is not 0 and each has its first:
 * values[p * rounds], values[p * rounds + 1], ... over and over to place p. Returns the number n of
 * stores; store k went to place k % places, as its round k / places % rounds. */
uint64_t ck_store_until(void *first, size_t stride, uint32_t places, const uint64_t *values, uint32_t rounds,
                        const uint32_t *stop);

/* Waits, without leaving the CPU, until *go is not 0. */
void ck_spin(const uint32_t *go);

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
/* 1 once there is something to read, or its end; 0 when the time was over, or a signal came, first. Negative: no limit. */
int ck_await_readable(int fd, int64_t timeout_ns);
/* The user at the other end of a unix socket (unix(7), SO_PEERCRED). */
long ck_peer_user(int socket);
int ck_o_direct(void);
int ck_o_tmpfile(void);
ssize_t ck_preadv2(int fd, const struct iovec *parts, int count, int64_t offset);
ssize_t ck_pwritev2(int fd, const struct iovec *parts, int count, int64_t offset);
int ck_memfd(const char *name);
/* move_pages(2) of this process's pages (pid 0), or of another's, whoever else maps them (MPOL_MF_MOVE_ALL, which needs
   CAP_SYS_NICE); status[i] is a node, or -errno. Null nodes only ask. */
int ck_move_pages(int pid, size_t count, void **pages, const int *nodes, int *status);
/* Minor faults of the calling thread so far (getrusage(2), ru_minflt). */
long ck_thread_faults(void);
/* first: with the highest priority there is. */
int ck_swapon(const char *path, int first);
int ck_swapoff(const char *path);
int ck_unshare_files(void);
/* The calling thread's number. */
int ck_thread(void);
/* The calling thread, and threads it makes from then on, stay on the CPU they are on; the
 * second lets it run where it could before the first. */
int ck_stay_on_cpu(void);
int ck_leave_cpu(void);
/* Instead of ck_stay_on_cpu: the first keeps the calling thread, and those it starts from then on, off the CPU that it
 * is on, if there are others; the second brings it back there, alone, and ck_leave_cpu to where it could run before. */
int ck_spare_cpu(void);
int ck_stay_on_spared_cpu(void);
/* Lets the calling thread run when nobody else wants to. */
void ck_be_last(void);
/* Does nothing, `times` times. */
void ck_relax(int times);
/* How many CPUs the calling thread may run on. */
int ck_cpus(void);
/* Their numbers, in order, as many as there is room for; how many these are. */
int ck_list_cpus(int *cpus, int room);
/* After ck_stay_on_cpu: the calling thread alone runs on another of the CPUs from before; -ENODEV. */
int ck_go_to_other_cpu(void);
/* The calling thread, and those it starts from then on, run on that CPU alone; on these and no others. */
int ck_run_on_cpu(int cpu);
int ck_run_on_cpus(const int *cpus, int count);
int ck_block_device_bytes(int fd, uint64_t *bytes);
int ck_block_device_sector(int fd, uint32_t *bytes);
/* fstatfs(2): the magic number of the file system (linux/magic.h). */
int64_t ck_file_system(int fd);
/* FS_NOCOW_FL on an empty file: btrfs then keeps no checksums of its data. */
int ck_no_checksums(int fd);
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
  CK_CHILD_EXITS = 0,  /* tells which frames it has, and exits */
  CK_CHILD_STAYS = 1,  /* the same, and keeps its copy of the address space until *go */
  CK_CHILD_READS = 2,  /* reads the pages, stays, and after *go copies what it sees */
  CK_CHILD_WRITES = 3, /* stores to the last word of each page, and stays until *go */
};

/* `count` pages, `stride` bytes apart, of which the child looks at `length` bytes each. */
struct ck_child_pages {
  char *first;
  size_t stride, length, count;
};

/* Lives in memory that parent and child share; `entries` follow, one a page, then `copies`. */
struct ck_child_board {
  uint32_t ready;  /* child: has done what its role asks for while the I/O is in flight */
  uint32_t go;     /* parent: the I/O is over */
  uint64_t seen;   /* sum of the pages' words, so that the read is not optimised away */
};

/* The pid, or -errno. `entries` (shared) receives the child's pagemap entries of the pages as they are
 * before it touches any, 0 where they can't be read; `copies` (shared) its view of them after *go. */
int ck_fork_child(int role, struct ck_child_board *board, const struct ck_child_pages *pages,
                  uint64_t *entries, void *copies);
/* A descriptor that every such child closes first; at most 16, then -ENOSPC. */
int ck_child_closes(int fd);
void ck_child_keeps(int fd);
/* Waits for a child's end; 0 with its wait status, or -ETIMEDOUT after which it is still there. */
int ck_reap(int pid, int64_t timeout_ns, int *status);
/* Children of ck_fork_child need the program, the stack they are born on, the pages that they are told of, and nothing
 * else. A fork copies the page tables of all private memory that was ever written, and the next store to each of its
 * pages takes a fault and interrupts the CPUs of our other threads. So a worker hides from them what it can
 * (MADV_DONTFORK); in other processes these do nothing. 0 or -errno. */

/* Hides the heap as far as it reaches now. */
int ck_hide_heap(void);
/* Lets all threads have the one heap, which then grows in large pieces. */
void ck_one_heap(void);
/* Hides the calling thread's stack, or shows it again, which must be done before the thread ends: the next may be given
 * it. The thread must not fork meanwhile. */
int ck_hide_stack(int hidden);
/* fork(2) of the whole program, for a supervisor: 0 in the child. */
int ck_fork(void);
/* Asks that this process be killed when its parent dies; -ESRCH if it is dead already. */
int ck_die_with_parent(int parent);

/* --- detached.c: file systems without a mount point, Linux 5.2 --- */

/* An option of a mount; no value where the option is a word of its own. */
struct ck_mount_option {
  const char *key, *value;
};

/* fsopen/fsconfig/fsmount: the O_PATH descriptor of the detached mount, or -errno; *step names the call
 * or the option that failed. */
int ck_mount_detached(const char *type, const struct ck_mount_option *options, size_t count,
                      const char **step);
/* Whether fsopen(2) takes the type, for which the kernel may load a module: 0 or -errno. */
int ck_file_system_known(const char *type);

/* --- fuse.c: a FUSE file system --- */

/* Mounts, detached, a file system whose root is a regular file. See ck_mount_detached. */
int ck_fuse_mount(int device, unsigned int uid, unsigned int gid, const char **step);
/* The number of the mount's file system in fusectl; the server is not asked. */
int ck_fuse_connection(int mount);
/* Ends a connection, and with it every wait for its server. Only root of the machine may. */
int ck_fuse_abort(uint32_t connection);
/* Makes a user and a mount namespace in which this uid is root. Single-threaded callers only. */
int ck_enter_user_namespace(const char **step);

/* --- nfs.c --- */

/* Mounts, detached, what an NFSv3 server on 127.0.0.1 exports, whose MOUNT is on the same TCP port. Its
 * waits end 12 s after a server that is gone. See ck_mount_detached. */
int ck_nfs_mount(unsigned int port, const char **step);

/* --- signal.c --- */

/* SIGINT, SIGTERM, SIGHUP and SIGQUIT are noted instead of ending the process. */
void ck_note_interrupts(void);
/* The signal noted, or 0. */
int ck_interrupted(void);

/* What a worker leaves to its supervisor, in memory that both share. */
struct ck_last_words {
  uint32_t signal;     /* that ended it, or 0 */
  uint32_t stop;       /* the request to stop that it noted last, or 0 */
  uint32_t connection; /* of the FUSE file system that it serves, or 0 */
  uint32_t proven;     /* 1 once it has seen data lost */
};

/* A core dump waits for all threads, and one that waits for the process's own FUSE server never comes
 * (fs/coredump.c, coredump_wait). So from now on the signals that make one are told to `shared` and on
 * standard error, and end the process as SIGKILL does. Children forked later end as ever. */
int ck_note_crashes(struct ck_last_words *shared);
/* Whether this process is one that called it, and no child of one. */
int ck_is_worker(void);
/* Keeps the signals of crashes waiting, until ck_note_crashes. */
void ck_block_crashes(sigset_t *before);
/* A stack for that on the calling thread, or NULL where crashes are not noted; and its end. */
void *ck_crash_stack(void);
void ck_crash_stack_end(void *stack);
/* Which FUSE connection the worker serves from now on; 0 for none. */
void ck_tell_connection(uint32_t connection);
/* That the worker has seen, and reported, data lost. */
void ck_tell_loss(void);

/* --- init.c: what an init process does --- */

/* mount(2) of a pseudo file system on a folder that is made if it is missing; busy is no error. */
int ck_mount(const char *type, const char *folder);
/* The same of a disk. */
int ck_mount_from(const char *source, const char *type, const char *folder);
/* Mounts a hierarchy of control groups of version 1 with one controller on a folder that is made. */
int ck_mount_cgroup(const char *controller, const char *folder);
/* finit_module(2); -EEXIST when it is loaded already. */
int ck_load_module(const char *path);
/* ioctl(SIOCSIFFLAGS): brings the loopback interface up. */
int ck_loopback_up(void);
/* Syncs and switches the machine off; returns only on failure. */
int ck_power_off(void);

/* --- loop.c: a block device over a file --- */

/* Attaches `backing` to a free loop device with blocks of so many bytes that detaches itself at its last
 * close, and opens it with O_RDWR | O_DIRECT: the descriptor, or -errno with *step naming the call. */
int ck_loop_open(int backing, uint32_t block_size, const char **step);

/* --- dm.c: devices of the device mapper --- */

/* Makes a device with one target over all of its 512-byte sectors: its minor number. */
int ck_dm_create(const char *name, const char *type, const char *parameters, uint64_t sectors);
/* Keeps its I/O waiting from now on, without flushing or freezing what lies above; or lets it go. */
int ck_dm_suspend(const char *name, int on);

/* --- uring.c: io_uring without liburing, Linux 5.4 or later --- */

/*
 * One thread at a time uses a ring, and stays alive until what it submitted has been waited for.
 * The kernel sets up none: -ENOSYS, -EPERM (seccomp, kernel.io_uring_disabled), -ENOMEM (before 5.12,
 * RLIMIT_MEMLOCK).
 */
struct ck_uring;
/* A ring for at most `entries` (a power of two is best, at most 32768) I/Os at once. */
int ck_uring_open(uint32_t entries, struct ck_uring **out);
/* Waits for all that was submitted first, so that nothing writes to the memory afterwards. */
int ck_uring_close(struct ck_uring *ring);
/* Pins one buffer, at most 1 GiB, for I/O with `fixed`; -EBUSY when there is one, -ENOMEM beyond
 * RLIMIT_MEMLOCK. Unregister with no I/O outstanding. */
int ck_uring_register(struct ck_uring *ring, void *address, size_t length);
int ck_uring_unregister(struct ck_uring *ring);
/* Adds an I/O; `fixed` says that it lies within the registered buffer. The tag, below `entries`, tells
 * its result: -EINVAL when it is not, -EBUSY while another I/O has it. */
int ck_uring_queue(struct ck_uring *ring, int write, int fixed, int fd, void *address, uint32_t length,
                   int64_t offset, uint32_t tag);
/* Submits all that is queued: how many, or -errno, with the rest still queued for the next call. */
int ck_uring_submit(struct ck_uring *ring);
/* Waits until `count` I/Os are over, or all that were submitted if they are fewer, and stores the
 * result of every one that is at results[tag] (bytes or -errno); `results` may be NULL. Returns how
 * many were stored. */
int ck_uring_wait(struct ck_uring *ring, uint32_t count, int32_t *results);

/* --- uffd.c: pages whose first touch waits for us (userfaultfd(2)) --- */

/* A descriptor that hears of the kernel's own faults too: needs root, vm.unprivileged_userfaultfd=1 or the
 * right to open /dev/userfaultfd. */
int ck_uffd_open(void);
/* Touches of missing pages in the range wait from now on. */
int ck_uffd_register(int fd, void *page, size_t length);
/* 1 once somebody waits for a page in the range, 0 when nobody did in time. */
int ck_uffd_wait(int fd, const void *page, size_t length, int timeout_ms);
/* Puts a copy of `source` there and lets those go on who wait. */
int ck_uffd_fill(int fd, void *page, const void *source, size_t length);
/* The same pages' write protection is ours from now on (UFFDIO_REGISTER_MODE_WP, Linux 5.7). */
int ck_uffd_register_protection(int fd, void *page, size_t length);
/* UFFDIO_WRITEPROTECT: protects the range, or no more. */
int ck_uffd_protect(int fd, void *page, size_t length, int on);
int ck_uffd_unregister(int fd, void *page, size_t length);
/* UFFDIO_MOVE, Linux 6.8: the page at `from` is behind `to`, which is registered and missing, and no
 * longer behind `from`. */
int ck_uffd_move(int fd, void *to, void *from, size_t length);

/* --- hazard.c: more ways to put a page in danger --- */

/* mbind(2) with MPOL_BIND and MPOL_MF_MOVE. */
int ck_mbind(void *page, size_t length, int node);
/* migrate_pages(2) of this process; how many stayed, or -errno. */
int ck_migrate_pages(int from, int to);
/* vfork(2), the child exits at once; posix_spawn(3) of a program that does the same. 0 or -errno. */
int ck_vfork(void);
int ck_spawn(void);
/* Stores `length` bytes through the kernel: by process_vm_writev(2), or through /proc/self/mem. */
int ck_poke(int through_mem, void *to, const void *from, size_t length);
/* mincore(2) of one page: 1 if it is mapped or in the swap or page cache. */
int ck_in_core(void *page);
