/* Core: what the files of the ExCache share. One ExCache per process. */
#ifndef PCOMPONENT_EXCACHE_CORE_H
#define PCOMPONENT_EXCACHE_CORE_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/net.h"
#include "ashlar/stats.h"

#define EXCACHE_LINES_MIN 64u	 /* least budget: one instruction may touch 16 pages and more, threads as many each */
#define TRANSFER_LIMIT_MS 30000u /* a failing transfer is tried again for so long, then its component counts as dead */
#define TRANSFER_TRY_MS 5000u	 /* one try */

struct excache {
	struct net *net;
	struct stats_page *stats;
	uint32_t pid;
	int fd_floor;
	uint64_t budget;   /* lines; atomic, as fill_max: changed while threads fault */
	unsigned fill_max; /* zero lines filled at once */
	int64_t charged;   /* lines' worth of the budget that other memory has; atomic */
	void (*message)(const char *fmt, ...);
	/* Epoch of reclaim: generation of the lines that become resident now. Written by the evictor only. */
	uint32_t epoch __attribute__((aligned(64)));
};

extern struct excache excache;

/* A growing edge takes a small part of the budget at a time. */
unsigned excache_fill_max(uint64_t lines);

static inline uint32_t excache_epoch(void)
{
	return __atomic_load_n(&excache.epoch, __ATOMIC_RELAXED);
}
/* Evictor, or faults excluded. Before lines leave: what comes back later then has another generation. */
void excache_epoch_next(void);

#endif
