/*
 * See slack.h. Nobody keeps a list of what lies in a slab: the lines are walked, from where the last walk ended. When it
 * has come to the end the slabs to be left are chosen anew.
 */
#include "pcomponent/excache/slack.h"
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/backing.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/hostvm_uffd.h"
#include "pcomponent/excache/line.h"
#include "pcomponent/excache/lines.h"
#include "pcomponent/excache/reclaim.h"

static uint64_t at; /* vpn at which the walk goes on; 0: none is under way */

void slack_close(void)
{
	at = 0;
}

/* Move these lines; false: not now. */
static bool lines_leave(struct excache_port *port, const uint64_t *vpn, unsigned n)
{
	unsigned used = 0;
	uint64_t loc;
	int frames, err;

	/* As before any page map entry is made: see docs/memory-model.md, why no write is lost. */
	reclaim_collect();
	frames = backing_take_quietly(n, &loc);
	if (frames <= 0)
		return false;
	err = line_relocate(&hostvm_uffd, port, vpn, n, loc, (unsigned)frames, &used);
	if (used < (unsigned)frames)
		backing_put(loc + used, (unsigned)frames - used);
	return err >= 0;
}

static bool line_leaving(uint64_t vpn)
{
	uint64_t w = line_load(lines_get(vpn));

	return line_loc(w) && (line_state(w) == LINE_AWAY || line_state(w) == LINE_CLEAN) &&
	       backing_leaving(line_loc(w));
}

void slack_reduce(struct excache_port *port, unsigned pages, unsigned long look)
{
	uint64_t vpn[LINE_BATCH];
	unsigned n = 0, moved = 0;

	if (!at && !backing_sparse_choose(pages))
		return;
	for (at = lines_next(at, LINES_VPN_MAX); at < LINES_VPN_MAX && moved < pages && look; look--) {
		if (line_leaving(at))
			vpn[n++] = at;
		if (n == LINE_BATCH) {
			if (!lines_leave(port, vpn, n))
				break;
			moved += n;
			n = 0;
		}
		at = lines_next(at + 1, LINES_VPN_MAX);
	}
	if (n)
		(void)lines_leave(port, vpn, n);
	if (at >= LINES_VPN_MAX)
		at = 0;
	backing_trim();
}
