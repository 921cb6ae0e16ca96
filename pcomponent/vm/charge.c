/*
 * Shared memory and the budget. It is no part of the ExCache: what of it is there takes room from the lines, whoever has
 * touched it; the process that made or attached it pays, its forked children do not. Nobody tells us when a page of it
 * comes to be, so now and then, when lines are missed, it is counted. It cannot be evicted: where there is more of it than
 * may be pinned, the process is over its budget by that.
 */
#include "ashlar/base/clock.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/vm/layout.h"

#define EVERY_NS (20 * NS_PER_MS)
#define COST_SHARE 50u /* counting takes at most so small a part of the time */

static struct {
	uint64_t next_ns; /* atomic */
	uint32_t busy;
} charge;

void charge_now(void)
{
	uint64_t from_ns = clock_ns(), bytes = 0, max = layout_pin_max(true), pinned = table_sums().pinned, took_ns;
	struct vma *v;

	for (v = table_sums().charged ? table_find(0) : NULL; v; v = table_next(v))
		if (v->flags & VMA_CHARGED)
			bytes += layout_resident(v);
	max = max > pinned ? max - pinned : 0;
	bytes = bytes < max ? bytes : max;
	if (bytes != layout.charged)
		excache_charge((int64_t)(bytes - layout.charged));
	layout.charged = bytes;
	took_ns = COST_SHARE * (clock_ns() - from_ns);
	__atomic_store_n(&charge.next_ns, from_ns + (took_ns < EVERY_NS ? EVERY_NS : took_ns), __ATOMIC_RELAXED);
}

void vm_charge(void)
{
	if (!table_sums().charged || clock_ns() < __atomic_load_n(&charge.next_ns, __ATOMIC_RELAXED) ||
	    __atomic_exchange_n(&charge.busy, 1, __ATOMIC_ACQUIRE))
		return;
	charge_now();
	__atomic_store_n(&charge.busy, 0, __ATOMIC_RELEASE);
}
