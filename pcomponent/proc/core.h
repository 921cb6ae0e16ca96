/*
 * Core files of the program: ELF as gdb and others read it, with the registers of all threads and the program's memory,
 * evicted pages fetched for it. `ashlar core` asks for one by a socket of the process (proc/core_door.h); the resizer's
 * thread writes it, with the program standing still.
 */
#ifndef PCOMPONENT_PROC_CORE_H
#define PCOMPONENT_PROC_CORE_H
#include <stdint.h>

struct thread;

/* What became of it: 0 or -errno; pages that could not be had are zeros in it. */
struct core_result {
	int err;
	uint64_t bytes, pages, lost;
};

/* Write a core file to fd, which can be sought in. t: the caller's, a thread of the dispatcher with the layout lock's right. */
void core_write(struct thread *t, int fd, struct core_result *r);
/* Keep the dispatcher's memory, as it is now, out of the host kernel's core files (core_spare.c). */
void core_spare(void);

#endif
