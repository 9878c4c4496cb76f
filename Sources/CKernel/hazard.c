#define _GNU_SOURCE
#include "ckernel.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NODES_AT_MOST = 64, MODE_BIND = 2, FLAG_MOVE = 1 << 1 }; /* linux/mempolicy.h */

int ck_mbind(void *page, size_t length, int node) {
  unsigned long nodes = 1UL << node;
  /* The kernel takes one node less than it is told. */
  long result = syscall(SYS_mbind, page, length, MODE_BIND, &nodes, NODES_AT_MOST + 1, FLAG_MOVE);
  return result < 0 ? -errno : 0;
}

int ck_migrate_pages(int from, int to) {
  unsigned long old = 1UL << from, new = 1UL << to;
  long result = syscall(SYS_migrate_pages, 0, NODES_AT_MOST + 1, &old, &new);
  return result < 0 ? -errno : (int)result;
}

static int ended(int pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -errno;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

int ck_vfork(void) {
  pid_t child = vfork();
  if (child == 0) _exit(0);
  return child < 0 ? -errno : ended(child);
}

/* A program that exits: nothing else need be on a guest. */
static const struct {
  Elf64_Ehdr head;
  Elf64_Phdr part;
  unsigned char code[9];
} program = {
    .head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
             .e_type = ET_EXEC,
             .e_machine = EM_X86_64,
             .e_version = EV_CURRENT,
             .e_entry = 0x400000 + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
             .e_phoff = sizeof(Elf64_Ehdr),
             .e_ehsize = sizeof(Elf64_Ehdr),
             .e_phentsize = sizeof(Elf64_Phdr),
             .e_phnum = 1},
    .part = {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000, .p_filesz = sizeof program,
             .p_memsz = sizeof program, .p_align = 0x1000},
    .code = {0x31, 0xff,                    /* xor edi, edi */
             0xb8, SYS_exit, 0x00, 0, 0,    /* mov eax, SYS_exit */
             0x0f, 0x05},                   /* syscall */
};

int ck_spawn(void) {
  int file = memfd_create("repro-exits", 0);
  if (file < 0) return -errno;
  int result = 0;
  if (write(file, &program, sizeof program) != sizeof program) result = -EIO;
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  char *const arguments[] = {"exits", NULL}, *const nothing[] = {NULL};
  pid_t child;
  if (!result) result = -posix_spawn(&child, path, NULL, NULL, arguments, nothing);
  close(file);
  return result ? result : ended(child);
}

int ck_poke(int through_mem, void *to, const void *from, size_t length) {
  struct iovec own = {(void *)from, length}, there = {to, length};
  ssize_t count = -1;
  if (through_mem) {
    int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    if (mem < 0) return -errno;
    count = pwrite(mem, from, length, (off_t)to);
    int error = errno;
    close(mem);
    errno = error;
  } else {
    count = process_vm_writev(getpid(), &own, 1, &there, 1, 0);
  }
  if (count < 0) return -errno;
  return (size_t)count == length ? 0 : -EFAULT;
}

int ck_in_core(void *page) {
  unsigned char there;
  return mincore(page, 1, &there) < 0 ? -errno : there & 1;
}
