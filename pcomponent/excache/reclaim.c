/* See reclaim.h. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/excache/backing.h"
#include "pcomponent/excache/hostvm_uffd.h"
#include "pcomponent/excache/line.h"
#include "pcomponent/excache/lines.h"
#include "pcomponent/excache/pin.h"
#include "pcomponent/excache/policy.h"
#include "pcomponent/excache/port.h"
#include "pcomponent/excache/reclaim.h"
#include "pcomponent/excache/slack.h"

/*
 * Room to keep free: reclaim starts below `low` and goes on to `high`. The distance is the batch; larger batches cost
 * less per line, and fewer than one miss in a hundred should meet one.
 */
static struct {
	const struct policy_ops *ops;
	struct policy *policy;
	int64_t low, high;			     /* atomic */
	uint32_t token __attribute__((aligned(64))); /* 1: somebody is the evictor */
} reclaim;

static bool line_live(uint64_t vpn, uint32_t gen)
{
	uint64_t *word = lines_peek(vpn);

	return word && line_gen(line_load(word)) == gen;
}

void reclaim_marks_set(uint64_t budget_lines)
{
	int64_t high = (int64_t)budget_lines / 32;

	high = high < 8 ? 8 : high > (int64_t)LINE_EVICT_MAX ? (int64_t)LINE_EVICT_MAX : high;
	__atomic_store_n(&reclaim.high, high, __ATOMIC_RELAXED);
	__atomic_store_n(&reclaim.low, high / 4, __ATOMIC_RELAXED);
}

int reclaim_open(uint64_t budget_lines, const struct policy_ops *ops)
{
	reclaim_marks_set(budget_lines);
	reclaim.ops = ops;
	return ops->open(budget_lines, line_live, &reclaim.policy);
}

void reclaim_close(void)
{
	if (reclaim.policy)
		reclaim.ops->close(reclaim.policy);
	reclaim.policy = NULL;
}

/* ---- the evictor ---- */

bool reclaim_trylock(void)
{
	return !__atomic_load_n(&reclaim.token, __ATOMIC_RELAXED) &&
	       !__atomic_exchange_n(&reclaim.token, 1, __ATOMIC_ACQUIRE);
}

void reclaim_lock(void)
{
	while (!reclaim_trylock())
		sched_yield();
}

void reclaim_unlock(void)
{
	__atomic_store_n(&reclaim.token, 0, __ATOMIC_RELEASE);
}

void excache_epoch_next(void)
{
	uint32_t next = (excache.epoch + 1) & LINE_GEN_MASK;

	__atomic_store_n(&excache.epoch, next ? next : 1, __ATOMIC_RELAXED);
}

void reclaim_admit(uint64_t vpn, uint32_t gen)
{
	if (reclaim.ops->admit(reclaim.policy, vpn, gen))
		log_warn("no memory for the eviction queue: a line stays resident for good");
}

static void collect(struct excache_port *p, void *arg)
{
	struct ring_entry e;

	(void)arg;
	while (ring_pop(&p->admitted, &e))
		reclaim_admit(e.vpn, (uint32_t)e.value);
	while (ring_pop(&p->stale, &e)) {
		hostvm_uffd.unmapped(p, e.vpn, e.value);
		hostvm_uffd.frame_put(p, e.value);
	}
}

void reclaim_collect(void)
{
	ports_each(collect, NULL);
}

static int by_vpn(const void *a, const void *b)
{
	const struct line_ref *x = a, *y = b;

	return x->vpn < y->vpn ? -1 : x->vpn > y->vpn;
}

/* Victims that may go; pinned ones are no longer queued (pin.h). */
static unsigned victims(struct line_ref *v, unsigned want)
{
	unsigned n, kept = 0;

	do {
		n = reclaim.ops->victims(reclaim.policy, v, want);
		for (unsigned i = 0; i < n; i++)
			if (!pin_has(v[i].vpn))
				v[kept++] = v[i];
	} while (n > 0 && kept == 0);
	return kept;
}

/*
 * One batch, for as much room as is kept free, and at least for so many lines. The number of lines evicted; 0: none could
 * be had just now; -errno: none, as the write-back failed.
 */
static int evict_batch(struct excache_port *port, int64_t lines)
{
	struct line_ref v[LINE_EVICT_MAX];
	unsigned n, evicted = 0;
	int64_t want;
	int err;

	/* First what threads hold and do not use: a hundred sleeping ones could hold much of a small budget. */
	room_account();
	room_recall();
	want = __atomic_load_n(&reclaim.high, __ATOMIC_RELAXED);
	want = (want > lines ? want : lines) - room_pool();
	if (want <= 0)
		return 0;
	reclaim_collect();
	excache_epoch_next();
	n = victims(v, want < LINE_EVICT_MAX ? (unsigned)want : LINE_EVICT_MAX);
	if (n == 0)
		return 0;
	qsort(v, n, sizeof(v[0]), by_vpn);
	err = line_evict(&hostvm_uffd, port, v, n);
	for (unsigned i = 0; i < n; i++) {
		if (v[i].gone)
			evicted++;
		else if (reclaim.ops->retain(reclaim.policy, v[i].vpn, v[i].gen))
			log_warn("no memory for the eviction queue: a line stays resident for good");
	}
	backing_trim();
	slack_reduce(port, SLACK_BATCH_PAGES, SLACK_BATCH_LOOK);
	STAT_ADD(excache.stats->evictions, evicted);
	return evicted > 0 || !err ? (int)evicted : err;
}

bool reclaim_due(void)
{
	return room_pool() < __atomic_load_n(&reclaim.low, __ATOMIC_RELAXED);
}

int reclaim_ahead(struct excache_port *port)
{
	int r = 0;

	/* One batch for each time that somebody found too little: the next miss looks again. */
	if (!reclaim_trylock())
		return 0;
	if (reclaim_due()) {
		r = evict_batch(port, 0);
		port->counters.inline_reclaims++;
		port_count(port);
	}
	reclaim_unlock();
	return r < 0 ? r : 0;
}

int reclaim_batch(struct excache_port *port)
{
	int r;

	reclaim_lock();
	r = reclaim_due() ? evict_batch(port, 0) : 0;
	reclaim_unlock();
	return r;
}

int reclaim_now(struct excache_port *port, unsigned lines)
{
	int64_t need = lines;
	uint64_t limit = 0;
	int r = 0;

	while (room_pool() < need) {
		if (!reclaim_trylock()) {
			sched_yield();
			continue;
		}
		r = room_pool() < need ? evict_batch(port, need) : 1;
		port->counters.inline_reclaims++;
		reclaim_unlock();
		if (r > 0)
			continue;
		if (room_pool() >= need)
			break;
		if (r < 0)
			return r;
		/* All lines are in use by others just now. */
		if (!limit)
			limit = clock_ns() + TRANSFER_LIMIT_MS * NS_PER_MS;
		else if (clock_ns() > limit)
			return -ENOMEM;
		sched_yield();
	}
	return 0;
}

int excache_reclaim(struct excache_port *port)
{
	int err = reclaim_now(port, 1);
	int64_t before = INT64_MIN;

	/* Further while it helps: others may be at it, or hold what is left. */
	while (!err && reclaim_due() && room_pool() > before) {
		before = room_pool();
		err = reclaim_ahead(port);
	}
	return err;
}

int excache_make_room(struct excache_port *port, unsigned lines)
{
	return reclaim_now(port, lines);
}

bool excache_has_room(unsigned lines)
{
	return room_pool() >= (int64_t)lines;
}
