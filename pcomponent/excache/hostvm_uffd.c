/* See hostvm_uffd.h and hostvm.h. */
#include <errno.h>
#include <sched.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/limits.h"
#include "ashlar/base/log.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/backing.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/excache/hostvm_uffd.h"
#include "pcomponent/excache/line.h"
#include "pcomponent/excache/lines.h"
#include "pcomponent/excache/pagemap.h"
#include "pcomponent/excache/pin.h"
#include "pcomponent/excache/port.h"
#include "pcomponent/excache/reclaim.h"
#include "pcomponent/excache/writeback.h"
#include "pcomponent/excache/uffd.h"

#define RELAX_LOOK 256u				     /* turns of a wait after which it is looked at */
#define WAIT_LIMIT_MS (TRANSFER_LIMIT_MS * 3ULL / 2) /* of a fault that waits for other threads */
#define WAIT_ALONE_MS 2000ULL

static uint64_t *host_line(void *host, uint64_t vpn, bool make)
{
	uint64_t *word = make ? lines_get(vpn) : lines_peek(vpn);

	(void)host;
	BUG_ON(make && !word);
	return word;
}

static uint32_t host_epoch(void *host)
{
	(void)host;
	return excache_epoch();
}

static void count_one(struct excache_port *p, void *n)
{
	(void)p;
	++*(unsigned *)n;
}

/*
 * Whoever holds a line lets it go, if only after the limit of a transfer or two. A line that nobody holds waits for ever:
 * its word was overwritten. Where no other thread has a port there is nobody to wait for.
 */
static void wait_check(const struct excache_port *p)
{
	uint64_t waited_ns = clock_ns() - p->fault_from_ns;
	unsigned ports = 0;

	ports_each(count_one, &ports);
	if (waited_ns < (ports > 1 ? WAIT_LIMIT_MS : WAIT_ALONE_MS) * NS_PER_MS)
		return;
	excache.message(
		"a page is held by nobody: the program has written to memory that is not its own, or this is a bug "
		"of ashlar");
	log_bug(__FILE__, __LINE__, "a line without an owner");
}

static void host_relax(void *host)
{
	struct excache_port *p = host;

	if (++p->counters.waits % RELAX_LOOK == 0 && p->fault_from_ns)
		wait_check(p);
	sched_yield();
}

static unsigned host_room_take(void *host, unsigned n)
{
	return room_take(host, n);
}

static void host_room_put(void *host, unsigned n)
{
	room_put(host, n);
}

static void host_admit(void *host, uint64_t vpn, uint32_t gen)
{
	struct excache_port *p = host;

	ring_push(&p->admitted, vpn, gen);
}

static int host_copy(void *host, uint64_t vpn, unsigned n, bool zero, bool protect)
{
	struct excache_port *p = host;
	int err = 0;

	/*
	 * What is shared is protected before it is there, in processes that have not touched it as well. What will be written
	 * may be protected still from when it was there last: that would be another fault.
	 */
	if (excache.shared)
		err = protect ? excache.shared->protect(vpn << PAGE_SHIFT, n)
			      : excache.shared->unprotect(vpn << PAGE_SHIFT);
	return err ? err : uffd_copy(vpn << PAGE_SHIFT, zero ? NULL : p->bounce, n, protect && !excache.shared);
}

static int host_protect(void *host, uint64_t vpn, unsigned n)
{
	struct excache_port *p = host;

	if (excache.shared) {
		p->counters.protect_calls++;
		return excache.shared->protect(vpn << PAGE_SHIFT, n);
	}
	return uffd_protect(vpn << PAGE_SHIFT, n, &p->counters.protect_calls);
}

static int host_unprotect(void *host, uint64_t vpn)
{
	struct excache_port *p = host;

	p->counters.wp_faults++;
	if (excache.shared)
		return excache.shared->unprotect(vpn << PAGE_SHIFT);
	return uffd_unprotect(vpn << PAGE_SHIFT, 1);
}

static void *page_addr(uint64_t vpn)
{
	return (void *)(uintptr_t)(vpn << PAGE_SHIFT);
}

static void host_drop(void *host, const struct hostvm_run *run, unsigned n)
{
	struct excache_port *p = host;
	struct iovec iov[LINE_EVICT_MAX];

	for (unsigned i = 0; i < n && excache.shared; i++)
		excache.shared->drop(run[i].vpn << PAGE_SHIFT, run[i].pages);
	p->counters.drop_calls += excache.shared ? n : 0;
	if (excache.shared)
		return;
	for (unsigned i = 0; i < n; i++)
		iov[i] = (struct iovec){ page_addr(run[i].vpn), run[i].pages << PAGE_SHIFT };
	p->counters.drop_calls += uffd_drop(iov, n);
}

static int host_read(void *host, const uint64_t *vpn, unsigned n, uint64_t *zeros)
{
	int err = writeback_read(vpn, n, zeros);

	(void)host;
	if (!err)
		STAT_ADD(excache.stats->zero_evictions, (unsigned)__builtin_popcountll(*zeros));
	return err;
}

static int host_fetch(void *host, uint64_t loc)
{
	return port_fetch(host, loc);
}

static int host_fetch_slot(void *host, unsigned i, uint64_t loc)
{
	struct net_sge sge;
	int err = writeback_slot(i, &sge);

	return err ? err : port_fetch_to(host, &sge, loc);
}

static int host_store(void *host, const uint8_t *slot, unsigned n, uint64_t loc)
{
	struct net_sge sge[LINE_BATCH];
	int err = port_store(host, sge, writeback_sge(slot, n, sge), loc);

	if (!err) {
		STAT_ADD(excache.stats->writebacks, n);
		STAT_ADD(excache.stats->writeback_bytes, n * PAGE_BYTES);
	}
	return err;
}

static int host_frames_take(void *host, unsigned want, uint64_t *loc)
{
	(void)host;
	/* Frames that ended before these lines came under cleaning are cleared in the page map before it is set anew. */
	reclaim_collect();
	return backing_take(want, loc);
}

static void host_frame_put(void *host, uint64_t loc)
{
	(void)host;
	backing_put(loc, 1);
}

static void host_mapped(void *host, uint64_t vpn, uint64_t loc)
{
	uint64_t slab;
	uint32_t frame, component = backing_slab(loc, &slab, &frame);

	(void)host;
	pagemap_set(component, vpn, slab, frame);
}

static void host_unmapped(void *host, uint64_t vpn, uint64_t loc)
{
	uint64_t slab;
	uint32_t frame;

	(void)host;
	pagemap_clear(backing_slab(loc, &slab, &frame), vpn);
}

static void host_frame_stale(void *host, uint64_t vpn, uint64_t loc)
{
	struct excache_port *p = host;

	ring_push(&p->stale, vpn, loc);
}

_Static_assert(LINE_BATCH <= NET_SGE_MAX, "a batch fits one transfer");

static bool host_threads(void *host)
{
	(void)host;
	return excache.shared || excache.stats->threads_peak > 1;
}

static bool host_pinned(void *host, uint64_t vpn)
{
	(void)host;
	return pin_has(vpn);
}

const struct hostvm hostvm_uffd = {
	.line = host_line,
	.epoch = host_epoch,
	.relax = host_relax,
	.room_take = host_room_take,
	.room_put = host_room_put,
	.admit = host_admit,
	.copy = host_copy,
	.threads = host_threads,
	.pinned = host_pinned,
	.protect = host_protect,
	.unprotect = host_unprotect,
	.drop = host_drop,
	.read = host_read,
	.fetch = host_fetch,
	.fetch_slot = host_fetch_slot,
	.store = host_store,
	.frames_take = host_frames_take,
	.frame_put = host_frame_put,
	.mapped = host_mapped,
	.unmapped = host_unmapped,
	.frame_stale = host_frame_stale,
};
