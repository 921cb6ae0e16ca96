/*
 * Port: what one thread needs on the path of a miss, so that threads share nothing there: a bounce page, data
 * connections, rights to resident lines (room), and queues to the evictor.
 *
 * Room: the budget in lines. Rights that nobody holds lie in a pool; a port takes some at a time. Rights of a port that
 * does not use them are taken back when the pool is empty. The sum is the budget, so that holds at every moment; a change
 * of the budget is a change of the pool, which may be below zero until so much is evicted.
 */
#ifndef PCOMPONENT_EXCACHE_PORT_H
#define PCOMPONENT_EXCACHE_PORT_H
#include <stdint.h>
#include "ashlar/base/hist.h"
#include "ashlar/base/limits.h"
#include "ashlar/base/list.h"
#include "ashlar/net.h"
#include "pcomponent/excache/ring.h"

#define PORT_STREAMS 4u /* growing edges that are told apart */

/* Counters of a port since it last added them to the statistics page. */
struct port_counters {
	uint64_t misses, zero_fills, wp_faults, waits, inline_reclaims, protect_calls, drop_calls;
};

struct excache_port {
	int64_t room __attribute__((aligned(64))); /* atomic: others may take it back */
	struct list link __attribute__((aligned(64)));
	void *bounce; /* one page */
	struct net_mr *mr;
	/* Fetches are demand, write-back is background; each opened at the first transfer of its kind. */
	struct net_data *fetch[PROCESS_MEMORY_MAX], *store[PROCESS_MEMORY_MAX];
	struct port_counters counters;
	uint32_t uncounted; /* faults since then */
	struct hist miss;
	/* Zero lines filled last: the vpn that would go on, and how many were filled at once. */
	uint64_t stream_next[PORT_STREAMS];
	uint8_t stream_fill[PORT_STREAMS];
	uint8_t stream_turn;
	/* A fault that finds its line resident again and again shows a bug of ours or of the layout above. */
	uint64_t idle_vpn;
	uint32_t idle;
	uint64_t idle_since_ns;
	uint64_t fault_from_ns; /* inside a fault since then; 0: outside */
	struct ring admitted;	/* lines that became resident (generation) */
	struct ring stale;	/* frames that hold old contents (location) */
};

/* 0 or -errno. ports_close: all ports must be closed. */
int ports_open(uint64_t budget_lines);
void ports_close(void);
/*
 * Around a fork, when reclaim_collect has emptied the queues: no port comes or goes. child: those that there were are
 * forgotten, with their connections and registered memory; what room they held is in the pool.
 */
void ports_fork_lock(void);
void ports_fork_unlock(void);
int ports_fork_child(void);

/* How many rights a port takes at a time, for a budget. */
void room_batch_set(uint64_t budget_lines);
/* Rights in the pool; negative when memory was registered beyond the budget, or the budget was made smaller. */
int64_t room_pool(void);
void room_pool_add(int64_t n);
/* Take up to n without waiting; the number taken. */
unsigned room_take(struct excache_port *, unsigned n);
void room_put(struct excache_port *, unsigned n);
/* Take back what other ports do not use now. */
void room_recall(void);
/* Tell the statistics page how much is resident; what ports have taken but not used is not. */
void room_account(void);

/* Call fn for each port. */
void ports_each(void (*fn)(struct excache_port *, void *arg), void *arg);
/* Ports have space for what one fault may push. */
static inline int port_has_space(const struct excache_port *p, unsigned lines)
{
	return ring_space(&p->admitted) >= lines && ring_space(&p->stale) >= 1;
}

/* Memory that transfers may use: pages of it, registered where the fabric wants that. *mr NULL: not needed. */
void *transfer_alloc(unsigned pages, struct net_mr **mr);
void transfer_free(void *, unsigned pages, struct net_mr *);
/* In the child of a fork: the pages, but not the fabric's object, which is not ours any more. */
void transfer_forget(void *, unsigned pages);

/* Read a frame into the bounce page; write n pages to frames in a row. 0 or -EIO: its component is lost. */
int port_fetch(struct excache_port *, uint64_t loc);
int port_fetch_to(struct excache_port *, const struct net_sge *, uint64_t loc); /* the same, elsewhere, as background */
int port_store(struct excache_port *, const struct net_sge *, unsigned n, uint64_t loc);

/* Add the counters to the statistics page. */
void port_count(struct excache_port *);

#endif
