#define _GNU_SOURCE
#include "ckernel.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t noted;

static void note(int signal_number) { noted = signal_number; }

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
