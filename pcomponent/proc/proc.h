/* The process as a whole: its end, and its limits. */
#ifndef PCOMPONENT_PROC_PROC_H
#define PCOMPONENT_PROC_PROC_H
#include <stdint.h>

/* End with a status, statistics written. */
void proc_exit(int status) __attribute__((noreturn));
/* The rack has no memory left for a page that must go there; the ExCache has said which component and how much. */
void proc_end_nomem(void) __attribute__((noreturn));
/* ashlar failed: one line, status 125 (or 126/127 as env(1)). */
void proc_fail(int status, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* Descriptor numbers from here on are the dispatcher's. Set once at start, from the limits. 0 or -errno. */
int proc_fd_floor_open(void);
int proc_fd_floor(void);
/* RLIMIT_NOFILE as the program has set it. */
uint64_t proc_nofile(void);

#endif
