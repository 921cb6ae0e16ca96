/* See port.h. The list of ports has a lock that no miss takes. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "ashlar/stats.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/excache/port.h"
#include "pcomponent/excache/reclaim.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list ports = { &ports, &ports };
static struct net_pd *pd;
static struct {
	int64_t pool __attribute__((aligned(64)));
	unsigned batch __attribute__((aligned(64)));
} room;

int ports_open(uint64_t budget_lines)
{
	room.pool = (int64_t)budget_lines;
	room_batch_set(budget_lines);
	return net_local_any(excache.net) ? 0 : net_pd_open(excache.net, &pd);
}

void ports_close(void)
{
	if (pd)
		net_pd_close(pd);
	pd = NULL;
}

void ports_fork_lock(void)
{
	pthread_mutex_lock(&lock);
}

void ports_fork_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

/* ---- room ---- */

void room_batch_set(uint64_t budget_lines)
{
	uint64_t batch = budget_lines / 256;

	__atomic_store_n(&room.batch, batch < 1 ? 1 : batch > 16 ? 16 : (unsigned)batch, __ATOMIC_RELAXED);
}

static unsigned room_batch(void)
{
	return __atomic_load_n(&room.batch, __ATOMIC_RELAXED);
}

int64_t room_pool(void)
{
	return __atomic_load_n(&room.pool, __ATOMIC_RELAXED);
}

void room_pool_add(int64_t n)
{
	(void)__atomic_fetch_add(&room.pool, n, __ATOMIC_RELAXED);
}

/* Take up to n of *from; never below zero. */
static unsigned take(int64_t *from, unsigned n)
{
	int64_t have = __atomic_load_n(from, __ATOMIC_RELAXED), got;

	do {
		got = have < (int64_t)n ? have : (int64_t)n;
		if (got <= 0)
			return 0;
	} while (!__atomic_compare_exchange_n(from, &have, have - got, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return (unsigned)got;
}

unsigned room_take(struct excache_port *p, unsigned n)
{
	unsigned got = take(&p->room, n);

	if (got == n)
		return got;
	got += take(&room.pool, n - got + room_batch() - 1);
	if (got > n) {
		(void)__atomic_fetch_add(&p->room, got - n, __ATOMIC_RELAXED);
		got = n;
	}
	return got;
}

void room_put(struct excache_port *p, unsigned n)
{
	int64_t have = __atomic_add_fetch(&p->room, n, __ATOMIC_RELAXED);

	unsigned batch = room_batch();

	if (have > 2 * (int64_t)batch)
		room_pool_add(take(&p->room, (unsigned)have - batch));
}

void ports_each(void (*fn)(struct excache_port *, void *arg), void *arg)
{
	pthread_mutex_lock(&lock);
	for (struct list *l = ports.next; l != &ports; l = l->next)
		fn(container_of(l, struct excache_port, link), arg);
	pthread_mutex_unlock(&lock);
}

static void recall(struct excache_port *p, void *arg)
{
	(void)arg;
	room_pool_add(take(&p->room, UINT32_MAX));
}

void room_recall(void)
{
	ports_each(recall, NULL);
}

static void add_room(struct excache_port *p, void *arg)
{
	*(int64_t *)arg += __atomic_load_n(&p->room, __ATOMIC_RELAXED);
}

void room_account(void)
{
	int64_t unused = room_pool(), lines;

	ports_each(add_room, &unused);
	lines = (int64_t)__atomic_load_n(&excache.budget, __ATOMIC_RELAXED) - unused;
	STAT_SET(excache.stats->resident_bytes, lines > 0 ? (uint64_t)lines * PAGE_BYTES : 0);
	if (lines > 0)
		stat_max(&excache.stats->resident_peak_bytes, (uint64_t)lines * PAGE_BYTES);
}

/* ---- ports ---- */

void *transfer_alloc(unsigned pages, struct net_mr **mr)
{
	void *p;

	*mr = NULL;
	if (pd)
		return net_mr_alloc(pd, pages * PAGE_BYTES, true, mr) ? NULL : net_mr_addr(*mr);
	p = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

void transfer_free(void *p, unsigned pages, struct net_mr *mr)
{
	if (mr)
		net_mr_free(mr);
	else if (p)
		(void)munmap(p, pages * PAGE_BYTES);
}

void transfer_forget(void *p, unsigned pages)
{
	if (p)
		(void)munmap(p, pages * PAGE_BYTES);
}

int ports_fork_child(void)
{
	pthread_mutex_init(&lock, NULL);
	room_recall();
	while (!list_empty(&ports)) {
		struct excache_port *p = container_of(ports.next, struct excache_port, link);

		list_del(&p->link);
		transfer_forget(p->bounce, 1);
		free(p);
	}
	pd = NULL;
	return net_local_any(excache.net) ? 0 : net_pd_open(excache.net, &pd);
}

int excache_port_open(struct excache_port **out)
{
	struct excache_port *p = aligned_alloc(64, sizeof(*p));

	if (!p)
		return -ENOMEM;
	memset(p, 0, sizeof(*p));
	p->bounce = transfer_alloc(1, &p->mr);
	if (!p->bounce) {
		free(p);
		return -ENOMEM;
	}
	pthread_mutex_lock(&lock);
	list_add_tail(&ports, &p->link);
	pthread_mutex_unlock(&lock);
	*out = p;
	return 0;
}

void excache_port_close(struct excache_port *p)
{
	if (!p)
		return;
	/* What it pushed must not be lost with it; and while we are the evictor nobody else is in its queues. */
	reclaim_lock();
	reclaim_collect();
	pthread_mutex_lock(&lock);
	list_del(&p->link);
	pthread_mutex_unlock(&lock);
	reclaim_unlock();
	room_pool_add(take(&p->room, UINT32_MAX));
	port_count(p);
	for (unsigned i = 0; i < PROCESS_MEMORY_MAX; i++) {
		if (p->fetch[i])
			net_data_close(p->fetch[i]);
		if (p->store[i])
			net_data_close(p->store[i]);
	}
	transfer_free(p->bounce, 1, p->mr);
	free(p);
}

static void hist_flush(struct hist *into, struct hist *from)
{
	if (from->count == 0)
		return;
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		if (from->bucket[i])
			STAT_ADD(into->bucket[i], from->bucket[i]);
	STAT_ADD(into->count, from->count);
	stat_max(&into->max_ns, from->max_ns);
	memset(from, 0, sizeof(*from));
}

void port_count(struct excache_port *p)
{
	struct stats_page *s = excache.stats;

	STAT_ADD(s->misses, p->counters.misses);
	STAT_ADD(s->zero_fills, p->counters.zero_fills);
	STAT_ADD(s->wp_faults, p->counters.wp_faults);
	STAT_ADD(s->waits, p->counters.waits);
	STAT_ADD(s->inline_reclaims, p->counters.inline_reclaims);
	STAT_ADD(s->protect_calls, p->counters.protect_calls);
	STAT_ADD(s->drop_calls, p->counters.drop_calls);
	p->counters = (struct port_counters){ .misses = 0 };
	p->uncounted = 0;
	hist_flush(&s->miss, &p->miss);
	excache_count_fabric();
}

void excache_count_fabric(void)
{
	const struct net_stats *n = net_stats(excache.net);
	struct stats_page *s = excache.stats;

	STAT_SET(s->reads, __atomic_load_n(&n->reads, __ATOMIC_RELAXED));
	STAT_SET(s->read_bytes, __atomic_load_n(&n->read_bytes, __ATOMIC_RELAXED));
	STAT_SET(s->writes, __atomic_load_n(&n->writes, __ATOMIC_RELAXED));
	STAT_SET(s->write_bytes, __atomic_load_n(&n->write_bytes, __ATOMIC_RELAXED));
	STAT_SET(s->messages, __atomic_load_n(&n->msgs_tx, __ATOMIC_RELAXED));
}
