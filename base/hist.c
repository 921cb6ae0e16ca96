/*
 * Histogram buckets: values below HIST_SUB have one each; above, HIST_SUB for every power of two. What is longer than
 * the last bucket (about 37 minutes) is counted in it; max_ns stays exact.
 */
#include "ashlar/base/hist.h"

#define SUB_BITS 3u
_Static_assert(HIST_SUB == 1u << SUB_BITS, "buckets of a power of two");

static unsigned bucket_of(uint64_t ns)
{
	unsigned top, i;

	if (ns < HIST_SUB)
		return (unsigned)ns;
	top = 63u - (unsigned)__builtin_clzll(ns);
	i = HIST_SUB * (top - SUB_BITS + 1) + (unsigned)((ns >> (top - SUB_BITS)) & (HIST_SUB - 1));
	return i < HIST_BUCKETS ? i : HIST_BUCKETS - 1;
}

static uint64_t bucket_middle(unsigned i)
{
	unsigned shift;

	if (i < HIST_SUB)
		return i;
	shift = i / HIST_SUB - 1;
	return ((uint64_t)(HIST_SUB + i % HIST_SUB) << shift) + ((1ULL << shift) >> 1);
}

void hist_add(struct hist *h, uint64_t ns)
{
	h->bucket[bucket_of(ns)]++;
	h->count++;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
	into->count += from->count;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t rank = (uint64_t)(q * (double)h->count + 0.5), seen = 0, middle;

	if (!h->count)
		return 0;
	if (rank < 1)
		rank = 1;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen < rank)
			continue;
		middle = bucket_middle(i);
		return middle < h->max_ns ? middle : h->max_ns;
	}
	return h->max_ns;
}
