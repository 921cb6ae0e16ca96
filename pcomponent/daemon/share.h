/*
 * Share: how the ExCache of this machine is divided among its processes. Pure: numbers in, numbers out.
 *
 * Sizes that were promised are kept. The rest is divided max-min fair: who wants less than an equal part gets what it
 * wants, the others share what is left in equal parts; when nobody wants more, what remains is divided equally as well,
 * so that a process alone has everything.
 */
#ifndef PCOMPONENT_DAEMON_SHARE_H
#define PCOMPONENT_DAEMON_SHARE_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/limits.h"

/* Below this no process is admitted to run: one instruction may touch sixteen pages and more, a system call more still. */
#define SHARE_LEAST_BYTES (1UL << 20)
/* Of a process that was forked: what an ExCache needs to work at all. */
#define SHARE_FORKED_BYTES (64 * PAGE_BYTES)
#define SHARE_ALL UINT64_MAX /* wants more, however much it gets */

struct share {
	uint64_t promised; /* 0: nothing was */
	uint64_t least;	   /* where nothing was promised; 0: SHARE_LEAST_BYTES */
	uint64_t want;
	bool runs;	/* it has its least part already: that is not taken away */
	uint64_t bytes; /* the result, whole pages; 0: there is no room for it now */
};

/* Divide bytes. Promises and the least parts of those that run come first, then the others in their order. */
void share_divide(struct share *, uint32_t n, uint64_t bytes);

#endif
