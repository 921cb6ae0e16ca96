/* The process as a whole: its end, and its limits. */
#ifndef PCOMPONENT_PROC_PROC_H
#define PCOMPONENT_PROC_PROC_H
#include <stdbool.h>
#include <stdint.h>

/* End with a status, statistics written. */
void proc_exit(int status) __attribute__((noreturn));
/* The rack has no memory left for a page that must go there; the ExCache has said which component and how much. */
void proc_end_nomem(void) __attribute__((noreturn));
/* ashlar failed: one line, status 125 (or 126/127 as env(1)). */
void proc_fail(int status, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

struct exec_limits;
/*
 * Take the limits over, once at start; before: of the program that this one was, NULL: the first. 0 or -errno. Descriptor
 * numbers from the floor on are the dispatcher's. proc_limits: what an exec passes on.
 */
int proc_limits_open(const struct exec_limits *before);
void proc_limits(struct exec_limits *out);
int proc_fd_floor(void);
/*
 * A descriptor just made, out of the way of the program's numbers: its new number, close-on-exec, or -errno; fd is closed. Of a
 * call that has failed to make one (fd < 0): -errno.
 */
int proc_fd_raise(int fd);
/* A limit's soft value, as the program has set it (RLIMIT_*); RLIM_INFINITY where there is none. */
uint64_t proc_limit(int what);
/* Has this thread the capability (CAP_*)? */
bool proc_capable(int cap);

#endif
