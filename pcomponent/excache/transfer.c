/*
 * Transfers of a port: one-sided, tried again while they fail, up to TRANSFER_LIMIT_MS; a closed connection ends them at
 * once. Whatever ends them for good ends their component: it is lost, with all it holds. Fetches and stores go by data
 * connections of their own, so that write-back waits for misses and not they for it.
 */
#include <errno.h>
#include <time.h>
#include "ashlar/base/clock.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/backing.h"
#include "pcomponent/excache/memory.h"
#include "pcomponent/excache/port.h"

#define PAUSE_NS_MAX (100 * NS_PER_MS)

typedef int transfer_fn(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n,
			uint64_t deadline_ns);

/* What makes a fetch or a store. */
struct transfer {
	transfer_fn *fn;
	enum net_class class;
	struct net_data **data; /* the port's, by component */
};

static int transfer_once(const struct transfer *t, uint32_t component, uint64_t loc, const struct net_sge *sge,
			 unsigned n, uint64_t deadline_ns)
{
	struct net_data **data = &t->data[component];
	struct net_remote *remote;
	uint64_t off;
	int err = backing_locate(loc, &remote, &off);

	if (err)
		return err;
	if (!*data)
		err = memory_data_open(component, t->class, data);
	if (!err)
		err = t->fn(*data, remote, off, sge, n, deadline_ns);
	if (err == -ETIMEDOUT) {
		/* Still under way: it must not touch the memory after us. */
		net_data_close(*data);
		*data = NULL;
	}
	return err;
}

static int transfer_retry(const struct transfer *t, uint64_t loc, const struct net_sge *sge, unsigned n)
{
	uint64_t now, pause = NS_PER_MS, limit = clock_ns() + TRANSFER_LIMIT_MS * NS_PER_MS;
	uint32_t component = backing_component(loc);
	int err;

	for (;;) {
		if (memory_dead(component)) {
			memory_lost(component, -EPIPE); /* waits until the user has been told */
			return -EIO;
		}
		now = clock_ns();
		err = transfer_once(t, component, loc, sge, n, now + TRANSFER_TRY_MS * NS_PER_MS);
		if (!err)
			return 0;
		if (err == -EPIPE || err == -ENOENT || clock_ns() >= limit)
			break;
		(void)nanosleep(&(struct timespec){ .tv_nsec = (long)pause }, NULL);
		pause = pause * 2 < PAUSE_NS_MAX ? pause * 2 : PAUSE_NS_MAX;
	}
	memory_lost(component, err);
	return -EIO;
}

int port_fetch(struct excache_port *p, uint64_t loc)
{
	struct net_sge sge = { .addr = p->bounce, .bytes = PAGE_BYTES, .mr = p->mr };

	struct transfer t = { net_read_sync, NET_DEMAND, p->fetch };

	return transfer_retry(&t, loc, &sge, 1);
}

/* By the connections of stores: these are background. */
int port_fetch_to(struct excache_port *p, const struct net_sge *sge, uint64_t loc)
{
	struct transfer t = { net_read_sync, NET_BACKGROUND, p->store };

	return transfer_retry(&t, loc, sge, 1);
}

int port_store(struct excache_port *p, const struct net_sge *sge, unsigned n, uint64_t loc)
{
	struct transfer t = { net_write_sync, NET_BACKGROUND, p->store };

	return transfer_retry(&t, loc, sge, n);
}
