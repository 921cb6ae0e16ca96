/*
 * See pin.h. Victims that are pinned leave the eviction queue when the evictor meets them; unpinning puts what is resident
 * back into it.
 */
#include "pcomponent/excache/pin.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/excache/line.h"
#include "pcomponent/excache/lines.h"
#include "pcomponent/excache/reclaim.h"

struct range {
	uint64_t start, end; /* vpn */
};

/* Sorted, disjoint; neighbours are not joined */
static struct range *range;
static size_t used, room;

/* Index of the first range that ends above vpn. */
static size_t index_of(uint64_t vpn)
{
	size_t lo = 0, hi = used;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (range[mid].end <= vpn)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool pin_has(uint64_t vpn)
{
	size_t i = index_of(vpn);

	return i < used && range[i].start <= vpn;
}

void pin_close(void)
{
	free(range);
	range = NULL;
	used = room = 0;
}

/* Cutting a hole into a range needs one entry more, adding one another: there is always room for two. */
static int grow(void)
{
	struct range *bigger;

	if (used + 3 <= room)
		return 0;
	bigger = realloc(range, (room ? room * 2 : 16) * sizeof(*range));
	if (!bigger)
		return -ENOMEM;
	range = bigger;
	room = room ? room * 2 : 16;
	return 0;
}

static void insert_at(size_t i, uint64_t start, uint64_t end)
{
	memmove(&range[i + 1], &range[i], (used - i) * sizeof(*range));
	range[i] = (struct range){ start, end };
	used++;
}

static void cut(uint64_t start, uint64_t end)
{
	size_t i = index_of(start), n = 0;

	if (i < used && range[i].start < start) {
		if (range[i].end > end) {
			insert_at(i + 1, end, range[i].end);
			range[i].end = start;
			return;
		}
		range[i++].end = start;
	}
	while (i + n < used && range[i + n].end <= end)
		n++;
	memmove(&range[i], &range[i + n], (used - i - n) * sizeof(*range));
	used -= n;
	if (i < used && range[i].start < end)
		range[i].start = end;
}

int excache_pin(uint64_t start, uint64_t end)
{
	uint64_t first = start >> PAGE_SHIFT, stop = end >> PAGE_SHIFT;

	if (grow())
		return -ENOMEM;
	cut(first, stop);
	insert_at(index_of(first), first, stop);
	return 0;
}

void excache_unpin(uint64_t start, uint64_t end)
{
	uint64_t stop = end >> PAGE_SHIFT;

	/* Without memory for one more entry a page in the middle of others stays pinned until all of them are unpinned */
	if (grow())
		return;
	cut(start >> PAGE_SHIFT, stop);
	for (uint64_t vpn = start >> PAGE_SHIFT; (vpn = lines_next(vpn, stop)) < stop; vpn++) {
		uint64_t w = line_load(lines_peek(vpn));

		if (line_resident(w))
			reclaim_admit(vpn, line_gen(w));
	}
}
