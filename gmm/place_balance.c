/*
 * balance: processes go where the fewest are; memory is spread over all components in proportion to what each has free,
 * so that all fill up at the same time and each link carries its part of the misses.
 */
#include <errno.h>
#include <stddef.h>
#include "ashlar/base/limits.h"
#include "gmm/place.h"

static uint64_t offer_free(const struct place_offer *o)
{
	return o->bytes > o->promised ? (o->bytes - o->promised) / PAGE_BYTES * PAGE_BYTES : 0;
}

static unsigned processor(const struct place_offer *o, unsigned n)
{
	unsigned best = 0;

	for (unsigned i = 1; i < n; i++)
		if (o[i].processes < o[best].processes)
			best = i;
	return best;
}

/* Choose (share != 0) the max offers with the most free memory. Shares are the free bytes for now. */
static uint64_t choose(struct place_offer *o, unsigned n, unsigned max)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < n; i++)
		o[i].share = 0;
	for (unsigned round = 0; round < max; round++) {
		struct place_offer *best = NULL;

		for (unsigned i = 0; i < n; i++)
			if (!o[i].share && offer_free(&o[i]) && (!best || offer_free(&o[i]) > offer_free(best)))
				best = &o[i];
		if (!best)
			break;
		best->share = offer_free(best);
		total += best->share;
	}
	return total;
}

/* Everybody may take everything: first come, first served. */
static int spread_unpromised(struct place_offer *o, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (o[i].share)
			o[i].share = o[i].bytes;
	return 0;
}

static int memory(struct place_offer *o, unsigned n, unsigned max, uint64_t promise)
{
	uint64_t total = choose(o, n, max);
	uint64_t left = promise;

	if (total == 0 || promise > total)
		return -ENOMEM;
	if (promise == 0)
		return spread_unpromised(o, n);
	for (unsigned i = 0; i < n; i++) {
		o[i].share = (uint64_t)((unsigned __int128)promise * o[i].share / total) / PAGE_BYTES * PAGE_BYTES;
		left -= o[i].share;
	}
	/* What rounding left over: less than a page for each, so there is room for it. */
	for (unsigned i = 0; left && i < n; i++) {
		uint64_t more = offer_free(&o[i]) - o[i].share;

		if (more > left)
			more = left;
		o[i].share += more;
		left -= more;
	}
	return 0;
}

const struct place_policy place_balance = {
	.name = "balance",
	.processor = processor,
	.memory = memory,
};
