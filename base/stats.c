/* Counters of the processes of a tree; see stats.h. */
#include "ashlar/stats.h"
#include <stddef.h>
#include <string.h>

/* What is added up: all that counts events. */
static const size_t sums[] = {
#define SUM(field) offsetof(struct stats_page, field)
	SUM(budget_changes), SUM(misses),	 SUM(zero_fills),      SUM(wp_faults),	   SUM(victim_hits),
	SUM(prefetched),     SUM(prefetch_used), SUM(evictions),       SUM(writebacks),	   SUM(writeback_bytes),
	SUM(zero_evictions), SUM(waits),	 SUM(inline_reclaims), SUM(protect_calls), SUM(drop_calls),
	SUM(reads),	     SUM(read_bytes),	 SUM(writes),	       SUM(write_bytes),   SUM(messages),
	SUM(unknown_calls),  SUM(processes),	 SUM(miss.count),
#undef SUM
};

static const size_t peaks[] = {
	offsetof(struct stats_page, resident_peak_bytes), offsetof(struct stats_page, remote_peak_bytes),
	offsetof(struct stats_page, local_bytes_max),	  offsetof(struct stats_page, miss.max_ns),
	offsetof(struct stats_page, registered_ns),
};

static uint64_t *at(const struct stats_page *s, size_t offset)
{
	return (uint64_t *)((char *)s + offset);
}

void stats_merge(struct stats_page *into, const struct stats_page *from)
{
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		STAT_ADD(*at(into, sums[i]), *at(from, sums[i]));
	for (size_t i = 0; i < sizeof(peaks) / sizeof(peaks[0]); i++)
		stat_max(at(into, peaks[i]), *at(from, peaks[i]));
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		if (from->miss.bucket[i])
			STAT_ADD(into->miss.bucket[i], from->miss.bucket[i]);
	for (unsigned i = 0; i < STATS_SYSCALLS; i++) {
		if (!from->call[i].count)
			continue;
		STAT_ADD(into->call[i].count, from->call[i].count);
		STAT_ADD(into->call[i].total_ns, from->call[i].total_ns);
	}
}

void stats_sum(const struct stats_tree *t, struct stats_page *sum)
{
	const struct stats_page *p;

	*sum = t->first;
	stats_merge(sum, &t->others);
	for (unsigned i = 0; i < STATS_SLOTS; i++) {
		if (!__atomic_load_n(&t->owner[i], __ATOMIC_RELAXED))
			continue;
		p = (const struct stats_page *)((const char *)t + stats_slot_at(i));
		stats_merge(sum, p);
		sum->processes++;
	}
}

void stats_clear(struct stats_page *s)
{
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		STAT_SET(*at(s, sums[i]), 0);
	memset(&s->miss, 0, sizeof(s->miss));
	memset(s->call, 0, sizeof(s->call));
}
