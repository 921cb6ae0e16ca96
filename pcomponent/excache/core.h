/* Core: what the files of the ExCache share. One ExCache per process. */
#ifndef PCOMPONENT_EXCACHE_CORE_H
#define PCOMPONENT_EXCACHE_CORE_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/limits.h"
#include "ashlar/net.h"
#include "ashlar/stats.h"

#define TRANSFER_LIMIT_MS 30000u /* a failing transfer is tried again for so long, then its component counts as dead */
#define TRANSFER_TRY_MS 5000u	 /* one try */

struct excache_shared;

struct excache {
	struct net *net;
	struct stats_page *stats;
	uint32_t pid, member;
	int fd_floor;
	uint64_t budget;		     /* lines; atomic, as fill_max: changed while threads fault */
	unsigned fill_max;		     /* zero lines filled at once */
	uint32_t kernel_used;		     /* STATS_KERNEL_* */
	const struct excache_shared *shared; /* NULL: memory of this process alone */
	void (*connected)(void);
	void (*message)(const char *fmt, ...);
	/* Epoch of reclaim: generation of the lines that become resident now. Written by the evictor only. */
	uint32_t epoch __attribute__((aligned(64)));
};

extern struct excache excache;

/* The marks and shares that follow from a budget, in lines. */
void excache_budget_apply(uint64_t lines);

/* A growing edge takes a small part of the budget at a time. */
unsigned excache_fill_max(uint64_t lines);

static inline uint32_t excache_epoch(void)
{
	return __atomic_load_n(&excache.epoch, __ATOMIC_RELAXED);
}
/* fork.c: what it opened for itself. */
void fork_close(void);

/* Evictor, or faults excluded. Before lines leave: what comes back later then has another generation. */
void excache_epoch_next(void);

#endif
