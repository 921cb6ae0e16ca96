/*
 * Budgets: the ExCache is divided by share.h, and this carries it out while processes run. Who is to have less is asked
 * first (D2P_BUDGET); more is given, and new processes start, out of what has been given back. Each process has at most
 * one change under way. Small changes are not worth an eviction: an eighth is left as it is, unless somebody waits.
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

static uint64_t in_force(const struct dprocess *p)
{
	return p->budget.asked > p->budget.granted ? p->budget.asked : p->budget.granted;
}

static bool shrinks(const struct dprocess *p)
{
	return p->budget.asked && p->budget.asked < p->budget.granted;
}

static bool waits(const struct dprocess *p)
{
	return p->hello && p->guarded && !p->budget.granted;
}

static uint64_t want(const struct dprocess *p, uint64_t now)
{
	const struct budget *b = &p->budget;

	if (!b->reported)
		return START_BYTES;
	if (!b->registered)
		return b->weight + b->weight / 4 + SHARE_LEAST_BYTES;
	return b->hungry_until_ns > now ? SHARE_ALL : b->resident + b->resident / 8 + SHARE_LEAST_BYTES;
}

void budget_reported(struct dprocess *p, const struct d2p_report_req *r)
{
	struct budget *b = &p->budget;

	/* It uses nearly all that it has, and asks for pages all the same. */
	if (r->registered && r->faults > b->faults && r->resident_bytes >= b->granted - b->granted / 8)
		b->hungry_until_ns = loop_now(p->d->loop) + HUNGRY_MS * NS_PER_MS;
	b->reported = true;
	b->registered = r->registered;
	b->weight = r->weight_bytes < p->d->excache_bytes ? r->weight_bytes : p->d->excache_bytes;
	b->resident = r->resident_bytes < p->d->excache_bytes ? r->resident_bytes : p->d->excache_bytes;
	b->faults = r->faults;
	budgets_look(p->d, SETTLE_MS);
}

/* ---- one change ---- */

static void refused(struct dprocess *p, int err)
{
	if (!p->budget.said)
		log_warn("process %u cannot give local memory back: %s", p->pid, strerror(-err));
	p->budget.said = true;
	p->budget.unfit_until_ns = loop_now(p->d->loop) + UNFIT_MS * NS_PER_MS;
}

/* Stopped (Ctrl-Z), so that it cannot answer and means no harm by that? */
static bool stopped(const struct dprocess *p)
{
	struct process_usage u = { 0 };

	return !p->d->host->process_usage(p->host_fd, p->host_pid, &u) && (u.state == 'T' || u.state == 't');
}

static void answered(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	struct dprocess *p = arg;
	struct daemon *d = p->d;
	bool shrunk = shrinks(p);
	uint64_t asked = p->budget.asked;

	(void)rep;
	(void)tail;
	(void)tail_bytes;
	if (err == -ECANCELED || err == -EPIPE)
		return; /* it ends */
	p->budget.asked = 0;
	if (!err)
		p->budget.granted = asked;
	else if (err == -ETIMEDOUT && shrunk && !stopped(p)) {
		log_warn("process %u does not give local memory back: it is ended", p->pid);
		dprocess_end(p, "it kept local memory that others wait for", true);
		return;
	} else if (err != -ETIMEDOUT)
		refused(p, err);
	if (!err && shrunk)
		p->budget.said = false;
	budgets_look(d, 0);
}

static void ask(struct dprocess *p, uint64_t bytes)
{
	struct d2p_budget_req req = { .excache_bytes = bytes };

	if (rpc_call(p->dispatcher->base.rpc, D2P_BUDGET, p->pid, &req, NULL, 0, SHRINK_LIMIT_MS, answered, p))
		return; /* its connection is ending */
	p->budget.asked = bytes;
	p->budget.asked_ns = loop_now(p->d->loop);
}

/* ---- all of them ---- */

struct settling {
	struct daemon *d;
	uint64_t now, left; /* left: not in force */
	bool waiting, shrinking;
	uint32_t n;
	struct share share[PROCESSES_MAX];
	struct dprocess *process[PROCESSES_MAX];
};

/* Promises count from the admission on, the others from when they could start. */
static void gather(struct settling *s)
{
	struct list *pos, *next;

	s->left = s->d->excache_bytes;
	list_for_each_safe(pos, next, &s->d->processes) {
		struct dprocess *p = container_of(pos, struct dprocess, link);

		if (!p->promised_bytes && !p->budget.granted && !waits(p))
			continue;
		s->share[s->n] = (struct share){ .promised = p->promised_bytes,
						 .want = want(p, s->now),
						 .runs = p->budget.granted };
		s->process[s->n++] = p;
		s->left -= in_force(p);
		s->waiting |= waits(p);
	}
}

static bool may_ask(const struct settling *s, const struct dprocess *p)
{
	return p->budget.granted && !p->budget.asked && !p->promised_bytes && p->dispatcher &&
	       p->budget.unfit_until_ns <= s->now;
}

static void name_slow(struct settling *s, struct dprocess *p)
{
	char size[24];

	if (p->budget.said || s->now < p->budget.asked_ns + SHRINK_WARN_MS * NS_PER_MS)
		return;
	p->budget.said = true;
	log_warn("process %u is slow to give back %s of local memory", p->pid,
		 size_format(p->budget.granted - p->budget.asked, size));
}

static void shrink(struct settling *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		struct dprocess *p = s->process[i];
		uint64_t has = p->budget.granted, to = s->share[i].bytes;

		if (may_ask(s, p) && to < has && (s->waiting || to < has - has / 8))
			ask(p, to);
		if (!shrinks(p))
			continue;
		s->shrinking = true;
		name_slow(s, p);
	}
}

/* Those that wait start with what they want at first if that comes soon, else with what there is. */
static void start(struct settling *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		struct dprocess *p = s->process[i];
		uint64_t to = s->share[i].bytes,
			 waited = s->now > p->budget.waits_since_ns ? s->now - p->budget.waits_since_ns : 0;
		uint64_t least = p->promised_bytes ? p->promised_bytes : SHARE_LEAST_BYTES;

		if (!waits(p))
			continue;
		if (s->shrinking && waited < START_WAIT_MS * NS_PER_MS && least < START_BYTES)
			least = to < START_BYTES ? to : START_BYTES;
		if (to && s->left >= least) {
			p->budget.granted = to < s->left ? to : s->left;
			s->left -= p->budget.granted;
			dprocess_answer(p, 0);
		} else if (waited >= HELLO_WAIT_MS * NS_PER_MS) {
			dprocess_answer(p, -EAGAIN);
		}
	}
}

static void grow(struct settling *s)
{
	for (uint32_t i = 0; i < s->n && !s->waiting; i++) {
		struct dprocess *p = s->process[i];
		uint64_t has = p->budget.granted, to = s->share[i].bytes;

		if (to > has + s->left)
			to = has + s->left;
		if (!may_ask(s, p) || to <= has || (to - has < has / 8 && s->n > 1))
			continue;
		s->left -= to - has;
		ask(p, to);
	}
}

static void settle(void *arg)
{
	struct daemon *d = arg;
	struct settling *s = calloc(1, sizeof(*s));
	bool again;

	d->settle_set = false;
	if (!s) {
		budgets_look(d, SETTLE_MS);
		return;
	}
	s->d = d;
	s->now = loop_now(d->loop);
	gather(s);
	share_divide(s->share, s->n, d->excache_bytes);
	shrink(s);
	start(s);
	grow(s);
	again = s->waiting || s->shrinking;
	free(s);
	if (again)
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
