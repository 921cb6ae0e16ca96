/* See excache.h: the calls of vm/ and fault/, over lines, ports and reclaim. */
#include "pcomponent/excache/excache.h"
#include <errno.h>
#include <string.h>
#include "ashlar/base/clock.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/backing.h"
#include "pcomponent/excache/hostvm_uffd.h"
#include "pcomponent/excache/line.h"
#include "pcomponent/excache/lines.h"
#include "pcomponent/excache/memory.h"
#include "pcomponent/excache/pagemap.h"
#include "pcomponent/excache/pin.h"
#include "pcomponent/excache/policy.h"
#include "pcomponent/excache/port.h"
#include "pcomponent/excache/present.h"
#include "pcomponent/excache/reclaim.h"
#include "pcomponent/excache/slack.h"
#include "pcomponent/excache/writeback.h"
#include "pcomponent/excache/uffd.h"

#define FILL_FIRST 16u		/* zero lines filled when a growing edge is seen */
#define COUNT_EVERY 256u	/* faults between two updates of the statistics page */
#define IDLE_FROM 1000u		/* faults of one thread in a row on one resident line; if from these ... */
#define IDLE_MAX 100000u	/* ... to so many ... */
#define IDLE_NS (10 * NS_PER_S) /* ... the thread ran for less than this, something is broken */

struct excache excache = { .epoch = 1 };

/* ---- opening ---- */

void excache_close(void)
{
	fork_close();
	slack_close();
	reclaim_close();
	pin_close();
	writeback_close();
	pagemap_close();
	backing_close();
	ports_close();
	memory_close();
	lines_close();
	present_close();
	uffd_close();
}

unsigned excache_fill_max(uint64_t lines)
{
	return lines / 32 < UFFD_ZEROS_MAX ? (unsigned)(lines / 32) : UFFD_ZEROS_MAX;
}

int excache_host_check(void)
{
	return uffd_check();
}

int excache_open(const struct excache_config *c)
{
	const struct policy_ops *policy = policy_find(c->policy);
	uint32_t used = 0;
	int err;

	if (!policy || c->budget_bytes / PAGE_BYTES < EXCACHE_LINES_MIN) {
		c->message(policy ? "an ExCache has at least %lu KB" : "no such eviction policy",
			   EXCACHE_LINES_MIN * PAGE_BYTES / 1024);
		return -EINVAL;
	}
	excache = (struct excache){ .net = c->net,
				    .stats = c->stats,
				    .pid = c->pid,
				    .member = c->member,
				    .fd_floor = c->fd_floor,
				    .budget = c->budget_bytes / PAGE_BYTES,
				    .fill_max = excache_fill_max(c->budget_bytes / PAGE_BYTES),
				    .shared = c->shared,
				    .connected = c->connected,
				    .message = c->message,
				    .epoch = 1 };
	STAT_SET(c->stats->budget_bytes, excache.budget * PAGE_BYTES);
	err = memory_open(c->memory, c->n_memory, c->lazy);
	if (err)
		return err;
	err = lines_open();
	if (!err)
		err = uffd_open(c->fd_floor, c->kernel_6_1, &used);
	if (!err)
		err = present_open(c->kernel_6_1, &used);
	excache.kernel_used = used;
	STAT_SET(c->stats->kernel_used, used);
	if (!err)
		err = backing_open();
	if (!err)
		err = ports_open(excache.budget);
	if (!err)
		err = writeback_open(c->peek);
	if (!err)
		err = reclaim_open(excache.budget, policy);
	if (err) {
		c->message("the ExCache cannot start: %s", strerror(-err));
		excache_close();
	}
	return err;
}

unsigned excache_watch_fds(int *fds, unsigned max)
{
	return memory_fds(fds, max);
}

void excache_watch_dead(int fd)
{
	memory_fd_dead(fd);
}

void excache_watch_look(void)
{
	memory_look();
}

/* ---- faults ---- */

/*
 * How many lines to fill at a zero line: more and more while they follow each other. Several edges may grow at a time
 * (the parts of a program's heap).
 */
static unsigned stream_grow(struct excache_port *p, uint64_t vpn, unsigned *stream)
{
	unsigned grow, max = __atomic_load_n(&excache.fill_max, __ATOMIC_RELAXED);

	for (unsigned i = 0; i < PORT_STREAMS; i++) {
		if (p->stream_next[i] != vpn)
			continue;
		*stream = i;
		grow = p->stream_fill[i] <= 1 ? FILL_FIRST : p->stream_fill[i] * 2u;
		return grow < max ? grow : max;
	}
	*stream = p->stream_turn++ % PORT_STREAMS;
	return 1;
}

static void stream_filled(struct excache_port *p, uint64_t vpn, unsigned stream, unsigned grow, unsigned n)
{
	p->stream_next[stream] = vpn + n;
	p->stream_fill[stream] = (uint8_t)grow;
	p->counters.zero_fills += n;
}

static uint64_t ran_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/*
 * The same line was resident at each fault of this thread: after a while say so rather than fault for ever. The thread's
 * own time counts: on a machine with more to do than it can, so many faults take any time.
 */
static int fault_idle(struct excache_port *p, uint64_t vpn)
{
	if (p->idle_vpn != vpn) {
		p->idle_vpn = vpn;
		p->idle = 0;
	}
	if (++p->idle == IDLE_FROM)
		p->idle_since_ns = ran_ns();
	if (p->idle < IDLE_MAX)
		return 0;
	p->idle = 0;
	if (ran_ns() - p->idle_since_ns > IDLE_NS)
		return 0;
	excache.message("page %#llx is resident and cannot be accessed", (unsigned long long)vpn << PAGE_SHIFT);
	return -EIO;
}

/* Queues to the evictor are nearly full: take them in ourselves. */
static void fault_queues(void)
{
	reclaim_lock();
	reclaim_collect();
	reclaim_unlock();
}

/* As line_fault, with room made where there is none. *zero: the line was one of zeros. */
static int fault_resolve(struct excache_port *p, uint64_t vpn, bool write, uint64_t end, bool *zero)
{
	uint64_t *word = lines_get(vpn), w;
	unsigned grow, stream = 0;
	int r, err;

	if (!word)
		return -ENOMEM;
	for (;;) {
		w = line_load(word);
		*zero = line_state(w) == LINE_AWAY && line_loc(w) == 0;
		grow = *zero ? stream_grow(p, vpn, &stream) : 1;
		r = line_fault(&hostvm_uffd, p, vpn, write, end, grow);
		if (r != -EAGAIN)
			break;
		err = reclaim_now(p, 1);
		if (err)
			return err;
	}
	if (r > 0 && *zero)
		stream_filled(p, vpn, stream, grow, (unsigned)r);
	return r;
}

int excache_fault(struct excache_port *p, uint64_t addr, bool write, uint64_t start, uint64_t end)
{
	uint64_t vpn = addr >> PAGE_SHIFT, begin_ns = clock_ns();
	bool zero;
	int r;

	if (addr < start || addr >= end || vpn >= LINES_VPN_MAX)
		return -EFAULT;
	p->fault_from_ns = begin_ns;
	if (!port_has_space(p, UFFD_ZEROS_MAX))
		fault_queues();
	r = fault_resolve(p, vpn, write, end >> PAGE_SHIFT, &zero);
	/*
	 * Its failure is for those who find no room. Only who has taken room makes some: else a thread whose component is
	 * lost would protect in vain, each time, the very line that it is about to write.
	 */
	if (r > 0 && reclaim_due())
		(void)reclaim_ahead(p);
	if (r == 0)
		r = fault_idle(p, vpn);
	else if (r > 0 && !zero) {
		p->counters.misses++;
		hist_add(&p->miss, clock_ns() - begin_ns);
	}
	p->fault_from_ns = 0;
	if (r > 0)
		p->idle = 0;
	if (++p->uncounted >= COUNT_EVERY) {
		port_count(p);
		room_account();
	}
	return r >= 0 ? 0 : r == -ENOMEM ? r : -EIO;
}

/* ---- layout: faults are excluded ---- */

/* Pages that are there become dirty lines. */
static void take_present(uint64_t vpn, uint64_t pages)
{
	int64_t taken = 0;

	for (uint64_t end = vpn + pages; vpn < end; vpn++) {
		if (!line_take(&hostvm_uffd, NULL, vpn, excache.epoch))
			continue;
		reclaim_admit(vpn, excache.epoch);
		taken++;
	}
	room_pool_add(-taken);
}

int excache_register(uint64_t start, uint64_t end)
{
	int err;

	if ((start | end) % PAGE_BYTES || start >= end || end >> PAGE_SHIFT > LINES_VPN_MAX)
		return -EINVAL;
	reclaim_collect();
	err = uffd_register(start, end - start);
	if (!err)
		err = present_each(start, end, take_present);
	room_account();
	return err;
}

void excache_take(uint64_t start, uint64_t end)
{
	reclaim_collect();
	take_present(start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT);
	room_account();
}

int excache_clean_runs(uint64_t start, uint64_t end, int (*fn)(uint64_t addr, uint64_t pages, void *arg), void *arg)
{
	uint64_t stop = end >> PAGE_SHIFT, vpn = start >> PAGE_SHIFT, n;
	int err = 0;

	while (!err && (vpn = lines_next(vpn, stop)) < stop) {
		for (n = 0; vpn + n < stop; n++) {
			uint64_t *word = lines_peek(vpn + n);

			if (!word || line_state(line_load(word)) != LINE_CLEAN)
				break;
		}
		err = n ? fn(vpn << PAGE_SHIFT, n, arg) : 0;
		vpn += n ? n : 1;
	}
	return err;
}

int excache_give_up(struct excache_port *p, uint64_t start, uint64_t end)
{
	uint64_t stop = end >> PAGE_SHIFT;
	int err = 0, e;

	for (uint64_t vpn = start >> PAGE_SHIFT; (vpn = lines_next(vpn, stop)) < stop; vpn++) {
		uint64_t w = line_load(lines_peek(vpn));

		if (line_state(w) != LINE_AWAY || !line_loc(w))
			continue;
		e = port_fetch(p, line_loc(w));
		if (!e)
			e = uffd_copy(vpn << PAGE_SHIFT, p->bounce, 1, false);
		/* Behind the end of a file that was cut there is no page to be had */
		err = e < 0 && e != -EEXIST && e != -EFAULT ? e : err;
	}
	excache_forget(start, end);
	return err;
}

void excache_forget(uint64_t start, uint64_t end)
{
	uint64_t stop = end >> PAGE_SHIFT;
	int64_t gone = 0;

	reclaim_collect();
	excache_epoch_next();
	for (uint64_t vpn = start >> PAGE_SHIFT; (vpn = lines_next(vpn, stop)) < stop; vpn++)
		gone += line_forget(&hostvm_uffd, NULL, vpn);
	lines_release(start >> PAGE_SHIFT, stop);
	room_pool_add(gone);
	backing_trim();
	room_account();
}

int excache_move(uint64_t from, uint64_t to, uint64_t bytes)
{
	uint64_t stop = (from + bytes) >> PAGE_SHIFT, shift = (to - from) >> PAGE_SHIFT;

	if ((from | to | bytes) % PAGE_BYTES || (to + bytes) >> PAGE_SHIFT > LINES_VPN_MAX)
		return -EINVAL;
	excache_forget(to, to + bytes);
	for (uint64_t vpn = from >> PAGE_SHIFT; (vpn = lines_next(vpn, stop)) < stop; vpn++) {
		uint64_t target = (vpn + shift) & (LINES_VPN_MAX - 1);

		if (line_move(&hostvm_uffd, NULL, vpn, target, excache.epoch))
			reclaim_admit(target, excache.epoch);
	}
	lines_release(from >> PAGE_SHIFT, stop);
	return uffd_register(to, bytes);
}

uint64_t excache_resident(uint64_t start, uint64_t end, unsigned char *vec)
{
	uint64_t first = start >> PAGE_SHIFT, stop = end >> PAGE_SHIFT, n = 0;

	if (vec)
		memset(vec, 0, stop - first);
	for (uint64_t vpn = first; (vpn = lines_next(vpn, stop)) < stop; vpn++) {
		uint64_t *word = lines_peek(vpn);

		if (!line_resident(line_load(word)))
			continue;
		n++;
		if (vec)
			vec[vpn - first] = 1;
	}
	return n * PAGE_BYTES;
}

uint64_t excache_away(uint64_t start, uint64_t end)
{
	uint64_t stop = end >> PAGE_SHIFT, n = 0;

	for (uint64_t vpn = start >> PAGE_SHIFT; (vpn = lines_next(vpn, stop)) < stop; vpn++) {
		uint64_t w = line_load(lines_peek(vpn));

		n += line_state(w) == LINE_AWAY && line_loc(w) != 0;
	}
	return n * PAGE_BYTES;
}

uint64_t excache_next(uint64_t from, uint64_t end)
{
	uint64_t stop = end >> PAGE_SHIFT, vpn = from >> PAGE_SHIFT;

	while ((vpn = lines_next(vpn, stop)) < stop) {
		uint64_t w = line_load(lines_peek(vpn));

		if (line_state(w) != LINE_AWAY || line_loc(w))
			return vpn << PAGE_SHIFT;
		vpn++;
	}
	return end;
}

static void count_port(struct excache_port *p, void *arg)
{
	(void)arg;
	port_count(p);
}

void excache_count(void)
{
	if (!excache.stats) /* the process ends before it has begun */
		return;
	ports_each(count_port, NULL);
	excache_count_fabric();
	room_account();
}

void excache_flush(void)
{
	for (uint32_t i = 0; i < memory_count(); i++)
		(void)pagemap_flush(i);
	excache_count();
}
