/*
 * The call table at run time. syscalls.def is the source: from it come dispatch, bounds and copies of arguments
 * (sys/host.c), counters, and docs/syscalls.md.
 */
#ifndef PCOMPONENT_SYS_DISPATCH_H
#define PCOMPONENT_SYS_DISPATCH_H
#include <stdint.h>
#include "pcomponent/sys/sys.h"

struct thread;
struct trap_frame;
struct stats_page;

/* The frame holds what the program goes on with: no result is put in. */
#define SYS_FRAME_LOADED (-SYS_RESTART - 1)

enum arg_kind {
	ARG_NONE,  /* a number, or an address that is not looked at */
	ARG_FD,	   /* a descriptor: EBADF when it is one of the dispatcher's */
	ARG_STR,   /* terminated string, read */
	ARG_IN,	   /* `bytes` read */
	ARG_OUT,   /* `bytes` written when the call succeeds */
	ARG_IO,	   /* both */
	ARG_IN_N,  /* array read: a[len] elements of `bytes` */
	ARG_OUT_N, /* array written whole: a[len] elements of `bytes` */
	ARG_IO_N,  /* both */
	ARG_OUT_R, /* array of room a[len]; what the call returns tells how many elements were written */
	ARG_OUT_L, /* buffer whose length is the int that argument `len` points to (itself ARG_IO of 4) */
};
struct arg_desc {
	uint8_t kind, len;
	uint16_t bytes;
};

enum call_level { CALL_FULL, CALL_PARTIAL, CALL_NONE };

struct call_desc {
	const char *name;
	sys_fn *fn;
	enum call_level level;
	const char *note;
	struct arg_desc arg[6];
};

/* Row of nr, NULL: unknown. */
const struct call_desc *call_desc(uint64_t nr);

/* Serve the call in f: the value, -errno, -SYS_RESTART or SYS_FRAME_LOADED. fs: the program's FS base, may be set. */
long dispatch_call(struct thread *t, struct trap_frame *f, uint64_t *fs);

/* Generic handlers that work from the row: the host kernel serves the call, arguments are copied in and out. */
sys_fn sys_host;    /* does not block */
sys_fn sys_hostb;   /* may block */
sys_fn sys_hostfd;  /* makes a descriptor, may block: EMFILE when its number reaches the dispatcher's */
sys_fn sys_hostfd2; /* makes two, stored at the last ARG_OUT of 8 bytes */
sys_fn sys_nosys;   /* known, not served: ENOSYS */
sys_fn sys_perm;    /* known, refused: EPERM */
sys_fn sys_inval;   /* known, refused as by a kernel built without it: EINVAL */
sys_fn sys_zero;    /* advice that may be ignored: 0 */

/* The process's counters; set once at start. */
extern struct stats_page *process_stats;

#endif
