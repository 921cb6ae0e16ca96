/*
 * Budgets: the ExCache is divided by share.h, and this carries it out while processes run. Who is to have less is asked
 * first (D2P_BUDGET); more is given, and new processes start, out of what has been given back. Each process has at most
 * one change under way. Small changes are not worth an eviction: an eighth is left as it is, unless somebody waits.
 *
 * Members of a tree to which no size was promised are processes like all others. A promise is divided among the members of
 * its tree in the same way, for itself. Where it is less than SHARE_FORKED_BYTES for each, the rest is lent by the others.
 *
 * A process that does not shrink is named after SHRINK_WARN_MS and ended after SHRINK_LIMIT_MS, as others wait for what it
 * holds; one that is stopped is left alone until it goes on. One that says it cannot (the memory of the rack is full)
 * keeps what it has.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/size.h"
#include "pcomponent/daemon/internal.h"
#include "pcomponent/daemon/share.h"

uint64_t budget_in_force(const struct dmember *m)
{
	return m->budget.asked > m->budget.granted ? m->budget.asked : m->budget.granted;
}

static bool shrinks(const struct dmember *m)
{
	return m->budget.asked && m->budget.asked < m->budget.granted;
}

static bool waits(const struct dmember *m)
{
	return m->hello && m->tree->guarded && !m->budget.granted;
}

static uint64_t want(const struct dmember *m, uint64_t now)
{
	const struct budget *b = &m->budget;

	/* Who was forked has been given something just now, and most of them end before they tell what they need. */
	if (!b->reported)
		return m->id ? b->granted : START_BYTES;
	if (!b->registered)
		return b->weight + b->weight / 4 + SHARE_LEAST_BYTES;
	return b->hungry_until_ns > now ? SHARE_ALL : b->resident + b->resident / 8 + SHARE_LEAST_BYTES;
}

void budget_reported(struct dmember *m, const struct d2p_report_req *r)
{
	struct budget *b = &m->budget;
	struct daemon *d = m->tree->d;
	uint64_t now = loop_now(d->loop);
	bool hungry = b->hungry_until_ns > now;

	/* It uses nearly all that it has, and asks for pages all the same. */
	if (r->registered && r->faults > b->faults && r->resident_bytes >= b->granted - b->granted / 8)
		b->hungry_until_ns = now + HUNGRY_MS * NS_PER_MS;
	b->reported = true;
	b->registered = r->registered;
	b->weight = r->weight_bytes < d->excache_bytes ? r->weight_bytes : d->excache_bytes;
	b->resident = r->resident_bytes < d->excache_bytes ? r->resident_bytes : d->excache_bytes;
	b->faults = r->faults;
	budgets_look(d, !hungry && b->hungry_until_ns > now && m->tree->last_id ? HUNGRY_LOOK_MS : SETTLE_MS);
}

/* ---- fork ---- */

static uint64_t tree_in_force(const struct dprocess *p)
{
	struct list *pos, *next;
	uint64_t bytes = 0;

	list_for_each_safe(pos, next, &p->members)
		bytes += budget_in_force(container_of(pos, struct dmember, link));
	return bytes;
}

/* What is neither in force nor promised. */
static uint64_t pool_free(const struct daemon *d)
{
	uint64_t left = d->excache_bytes;
	struct list *pos, *next;

	list_for_each_safe(pos, next, &d->processes) {
		const struct dprocess *p = container_of(pos, struct dprocess, link);
		uint64_t bytes = tree_in_force(p);

		if (bytes < p->promised_bytes)
			bytes = p->promised_bytes;
		left = bytes < left ? left - bytes : 0;
	}
	return left;
}

/* A page multiple of half. */
static uint64_t half(uint64_t bytes)
{
	return bytes / 2 / PAGE_BYTES * PAGE_BYTES;
}

/*
 * The child gets what its parent gives and half of what is free; the parent has the other half, in the place of what it
 * gave. Else who forks again and again would have half as much each time, until the next look at what its children left.
 * Of what is nobody's promise a child takes no more than a process that starts, and the parent no more than it had.
 */
int budget_fork(struct dmember *parent, uint64_t offer, struct dmember *child)
{
	struct budget *b = &parent->budget;
	const struct dprocess *p = parent->tree;
	uint64_t give = b->granted > SHARE_FORKED_BYTES ? b->granted - SHARE_FORKED_BYTES : 0, bytes, back, had;
	uint64_t pool = pool_free(p->d), tree = tree_in_force(p), left = pool;

	if (b->asked)
		return -EBUSY; /* whether it has made that change already only its answer tells */
	if (p->promised_bytes)
		left = tree < p->promised_bytes ? p->promised_bytes - tree : 0;
	give = (give < offer ? give : offer) / PAGE_BYTES * PAGE_BYTES;
	bytes = half(left);
	if (give + bytes < SHARE_FORKED_BYTES)
		bytes = left < SHARE_FORKED_BYTES - give ? left / PAGE_BYTES * PAGE_BYTES : SHARE_FORKED_BYTES - give;
	back = left - bytes < bytes ? left - bytes : bytes;
	if (!p->promised_bytes) {
		bytes = bytes < START_BYTES ? bytes : START_BYTES;
		back = back < give ? back : give;
	}
	bytes += give;
	if (bytes < SHARE_FORKED_BYTES && (!p->promised_bytes || pool < SHARE_FORKED_BYTES - bytes))
		return -EAGAIN;
	had = b->granted;
	b->granted = had - give + back / PAGE_BYTES * PAGE_BYTES;
	child->budget.granted = bytes > SHARE_FORKED_BYTES ? bytes : SHARE_FORKED_BYTES;
	child->offered = b->granted < had ? had - b->granted : 0;
	return 0;
}

uint64_t budget_unfork(struct dmember *parent, struct dmember *child)
{
	struct budget *b = &parent->budget;

	if (child)
		child->budget.granted = 0;
	if (b->asked) /* that is what it has in the end; until then no more than both allow */
		return b->asked < b->granted ? b->asked : b->granted;
	b->granted += child ? child->offered : 0;
	return b->granted;
}

/* ---- one change ---- */

static void refused(struct dmember *m, int err)
{
	if (!m->budget.said)
		log_warn("process %u cannot give local memory back: %s", m->tree->pid, strerror(-err));
	m->budget.said = true;
	m->budget.unfit_until_ns = loop_now(m->tree->d->loop) + UNFIT_MS * NS_PER_MS;
}

/* Stopped (Ctrl-Z), so that it cannot answer and means no harm by that? */
static bool stopped(const struct dmember *m)
{
	struct process_usage u = { 0 };

	return !m->tree->d->host->process_usage(m->host_fd, m->host_pid, &u) && (u.state == 'T' || u.state == 't');
}

static void answered(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	struct dmember *m = arg;
	struct daemon *d = m->tree->d;
	bool shrunk = shrinks(m);
	uint64_t asked = m->budget.asked;

	(void)rep;
	(void)tail;
	(void)tail_bytes;
	if (err == -ECANCELED || err == -EPIPE)
		return; /* it ends, or becomes another program */
	m->budget.asked = 0;
	if (!err)
		m->budget.granted = asked;
	else if (err == -ETIMEDOUT && shrunk && !stopped(m)) {
		log_warn("process %u does not give local memory back: it is ended", m->tree->pid);
		dmember_end(m, "it kept local memory that others wait for");
		return;
	} else if (err != -ETIMEDOUT)
		refused(m, err);
	if (!err && shrunk)
		m->budget.said = false;
	budgets_look(d, 0);
}

static void ask(struct dmember *m, uint64_t bytes)
{
	struct d2p_budget_req req = { .excache_bytes = bytes };

	if (rpc_call(m->dispatcher->base.rpc, D2P_BUDGET, m->tree->pid, &req, NULL, 0, SHRINK_LIMIT_MS, answered, m))
		return; /* its connection is ending */
	m->budget.asked = bytes;
	m->budget.asked_ns = loop_now(m->tree->d->loop);
}

/* ---- all of them ---- */

/* Those that divide something among them: the members of a promise, or all others and each promise as a whole. */
struct group {
	uint64_t left; /* not in force */
	bool waiting, shrinking, lent;
	uint32_t n;
	struct share *share;
	struct dmember **member; /* NULL: a promise as a whole, whose members have begun */
};

struct settling {
	struct daemon *d;
	uint64_t now;
	bool again;
	struct share *share; /* room for all groups, one behind another */
	struct dmember **member;
};

static struct group group_begin(struct settling *s, uint64_t bytes)
{
	return (struct group){ .left = bytes, .share = s->share, .member = s->member };
}

static void group_end(struct settling *s, const struct group *g)
{
	s->share += g->n;
	s->member += g->n;
	s->again |= g->waiting || g->shrinking;
}

static void group_add(struct group *g, struct share share, struct dmember *m, uint64_t in_force)
{
	g->share[g->n] = share;
	g->member[g->n++] = m;
	g->left = in_force < g->left ? g->left - in_force : 0;
	g->waiting |= m && waits(m);
}

static void gather_members(const struct settling *s, struct group *g, const struct dprocess *p)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &p->members) {
		struct dmember *m = container_of(pos, struct dmember, link);
		uint64_t has = m->budget.granted, least = 0;

		if (!has && !waits(m))
			continue;
		/* Who was forked with less than others begin with is not to have more before those that wait. */
		if (p->promised_bytes)
			least = SHARE_FORKED_BYTES;
		else if (has < SHARE_LEAST_BYTES)
			least = has;
		group_add(g, (struct share){ .least = least, .want = want(m, s->now), .runs = has }, m,
			  budget_in_force(m));
	}
}

/* What a tree has for its members: as promised, and what is lent to it. */
static uint64_t tree_bytes(const struct dprocess *p, uint64_t in_force)
{
	uint64_t least = (uint64_t)p->n_members * SHARE_FORKED_BYTES;

	if (least > in_force)
		least = in_force;
	return p->promised_bytes > least ? p->promised_bytes : least;
}

/* A promise counts from the admission on, other processes from when they could start. */
static void gather(const struct settling *s, struct group *g)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &s->d->processes) {
		const struct dprocess *p = container_of(pos, struct dprocess, link);
		uint64_t in_force = tree_in_force(p);
		struct share whole = { .promised = tree_bytes(p, in_force), .runs = in_force };

		if (!p->promised_bytes)
			gather_members(s, g, p);
		else if (in_force)
			group_add(g, whole, NULL, in_force > whole.promised ? in_force : whole.promised);
		else
			group_add(g, whole, p->first, 0);
	}
}

static bool may_ask(const struct settling *s, const struct dmember *m)
{
	return m->budget.granted && !m->budget.asked && m->dispatcher && !m->exec_id &&
	       m->budget.unfit_until_ns <= s->now;
}

static void name_slow(struct settling *s, struct dmember *m)
{
	char size[24];

	if (m->budget.said || s->now < m->budget.asked_ns + SHRINK_WARN_MS * NS_PER_MS)
		return;
	m->budget.said = true;
	log_warn("process %u is slow to give back %s of local memory", m->tree->pid,
		 size_format(m->budget.granted - m->budget.asked, size));
}

static void shrink(struct settling *s, struct group *g)
{
	for (uint32_t i = 0; i < g->n; i++) {
		struct dmember *m = g->member[i];
		uint64_t has = m ? m->budget.granted : 0, to = g->share[i].bytes;

		if (!m)
			continue;
		if (may_ask(s, m) && to && to < has && (g->waiting || g->lent || to < has - has / 8))
			ask(m, to);
		if (!shrinks(m))
			continue;
		g->shrinking = true;
		name_slow(s, m);
	}
}

/* Those that wait start with what they want at first if that comes soon, else with what there is. */
static void start(struct settling *s, struct group *g)
{
	for (uint32_t i = 0; i < g->n; i++) {
		struct dmember *m = g->member[i];
		uint64_t to = g->share[i].bytes, waited, least;

		if (!m || !waits(m))
			continue;
		waited = s->now > m->budget.waits_since_ns ? s->now - m->budget.waits_since_ns : 0;
		least = m->tree->promised_bytes ? m->tree->promised_bytes : SHARE_LEAST_BYTES;
		if (g->shrinking && waited < START_WAIT_MS * NS_PER_MS && least < START_BYTES)
			least = to < START_BYTES ? to : START_BYTES;
		if (to && g->left >= least) {
			m->budget.granted = to < g->left ? to : g->left;
			g->left -= m->budget.granted;
			dmember_answer(m, 0);
		} else if (waited >= HELLO_WAIT_MS * NS_PER_MS) {
			dmember_answer(m, -EAGAIN);
		}
	}
}

static void grow(struct settling *s, struct group *g)
{
	for (uint32_t i = 0; i < g->n && !g->waiting; i++) {
		struct dmember *m = g->member[i];
		uint64_t has = m ? m->budget.granted : 0, to = g->share[i].bytes;

		if (to > has + g->left)
			to = has + g->left;
		if (!m || !may_ask(s, m) || to <= has || (to - has < has / 8 && g->n > 1))
			continue;
		g->left -= to - has;
		ask(m, to);
	}
}

/* A promise, among the members of its tree. */
static void tree_settle(struct settling *s, const struct dprocess *p)
{
	uint64_t in_force = tree_in_force(p), bytes = tree_bytes(p, in_force);
	struct group g = group_begin(s, bytes);

	if (!p->promised_bytes || !in_force)
		return;
	gather_members(s, &g, p);
	g.lent = in_force > p->promised_bytes;
	if (g.n == 1)
		g.share[0].bytes = bytes;
	else
		share_divide(g.share, g.n, bytes);
	shrink(s, &g);
	grow(s, &g);
	group_end(s, &g);
}

static void all_settle(struct settling *s)
{
	struct group g = group_begin(s, s->d->excache_bytes);
	struct list *pos, *next;

	gather(s, &g);
	share_divide(g.share, g.n, s->d->excache_bytes);
	shrink(s, &g);
	start(s, &g);
	grow(s, &g);
	group_end(s, &g);
	list_for_each_safe(pos, next, &s->d->processes)
		tree_settle(s, container_of(pos, struct dprocess, link));
}

static void settle(void *arg)
{
	struct daemon *d = arg;
	size_t n = (size_t)d->n_members + d->n_processes;
	struct share *share = calloc(n + 1, sizeof(*share));
	struct dmember **member = calloc(n + 1, sizeof(struct dmember *));
	struct settling s = { .d = d, .now = loop_now(d->loop), .share = share, .member = member, .again = true };

	d->settle_set = false;
	if (share && member) {
		s.again = false;
		all_settle(&s);
	}
	free(share);
	free(member);
	if (s.again)
		budgets_look(d, SETTLE_MS);
}

void budgets_open(struct daemon *d)
{
	d->settle.fn = settle;
	d->settle.arg = d;
}

void budgets_look(struct daemon *d, uint32_t delay_ms)
{
	uint64_t due = loop_now(d->loop) + delay_ms * NS_PER_MS;

	if (d->settle_set && d->settle.due_ns <= due)
		return;
	d->settle_set = true;
	loop_timer_set(d->loop, &d->settle, due);
}
