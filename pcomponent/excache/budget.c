/*
 * Changing the budget while threads fault. No line is touched by it: rights are put into the pool or taken out, and the
 * pool may be below zero as it may after a late registration. Then nobody finds room until evictions have made it
 * positive again; threads that miss evict themselves, excache_fit is for the thread that does it for those that sleep.
 */
#include <errno.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/excache/port.h"
#include "pcomponent/excache/reclaim.h"

uint64_t excache_budget(void)
{
	return __atomic_load_n(&excache.budget, __ATOMIC_RELAXED) * PAGE_BYTES;
}

void excache_budget_set(uint64_t bytes)
{
	uint64_t lines = bytes / PAGE_BYTES, old = excache.budget;

	if (lines < EXCACHE_LINES_MIN)
		lines = EXCACHE_LINES_MIN;
	if (lines == old)
		return;
	excache_budget_apply(lines);
	STAT_ADD(excache.stats->budget_changes, 1);
}

void excache_budget_apply(uint64_t lines)
{
	uint64_t old = excache.budget;

	__atomic_store_n(&excache.fill_max, excache_fill_max(lines), __ATOMIC_RELAXED);
	room_batch_set(lines);
	reclaim_marks_set(lines);
	/* In this order: who counts in between finds less resident than there is, and no peak that never was. */
	if (lines > old)
		room_pool_add((int64_t)(lines - old));
	__atomic_store_n(&excache.budget, lines, __ATOMIC_RELAXED);
	if (lines < old)
		room_pool_add((int64_t)lines - (int64_t)old);
	STAT_SET(excache.stats->budget_bytes, lines * PAGE_BYTES);
}

void excache_charge(int64_t bytes)
{
	room_pool_add(-(bytes / (int64_t)PAGE_BYTES));
}

/* Does what is resident fit, with the rights that ports hold as a part of it? */
int excache_fit(struct excache_port *port)
{
	int r;

	if (room_pool() >= 0)
		return 0;
	r = reclaim_batch(port);
	if (room_pool() >= 0)
		return 0;
	return r < 0 ? r : 1;
}
