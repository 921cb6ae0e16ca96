/*
 * Wrapper `emulate`: transfers. They are posted on the inner data connection at once; their completions are taken from
 * there as soon as somebody looks, and handed out when they are due, in the order of posting. The path of a miss: no
 * lock, no allocation.
 */
#include <errno.h>
#include <stdlib.h>
#include "net/hook/emulate.h"

#define EXACT_NS 2000u /* a completion was seen as it came if the look before was no longer ago than this */

static struct emulate_data *emulate_data(struct net_data *d)
{
	return container_of(d, struct emulate_data, w.base);
}

static bool life_dead(const struct emulate_life *life)
{
	return __atomic_load_n(&life->dead, __ATOMIC_ACQUIRE);
}

static int data_open(struct net_conn *conn, enum net_class class, struct net_data **out)
{
	struct emulate_data *d = calloc(1, sizeof(*d));
	const struct emulate_conn *c = container_of(conn, const struct emulate_conn, w.base);
	int err;

	if (!d)
		return -ENOMEM;
	err = net_data_open(c->w.inner, class, &d->w.inner);
	if (err) {
		free(d);
		return err;
	}
	d->life = emulate_life_get(c->life);
	d->random = emulate_stream(c->life->net);
	*out = &d->w.base;
	return 0;
}

static void data_close(struct net_data *base)
{
	struct emulate_data *d = emulate_data(base);

	if (d->w.base.ready)
		loop_timer_del(base->net->opt.loop, &d->timer);
	net_data_close(d->w.inner);
	emulate_life_put(d->life);
	free(d);
}

/* How long the bare fabric takes for transfers of this size: the least seen, rising slowly as that may have been luck. */
static void bare_learn(struct emulate_data *d, const struct emulate_op *op, uint64_t took_ns)
{
	uint64_t *bare = &d->bare_ns[op->size_class];

	if (!*bare || took_ns <= *bare)
		*bare = took_ns ? took_ns : 1;
	else
		*bare += (took_ns - *bare + 63) / 64;
}

/* The inner transfer is over, and it is seen now. */
static void op_done(struct emulate_data *d, struct emulate_op *op, int err, uint64_t now_ns, bool in_post)
{
	const struct emulate_net *n = d->life->net;
	uint64_t before = op->posted_ns > d->looked_ns ? op->posted_ns : d->looked_ns;
	uint64_t usual = d->bare_ns[op->size_class];
	uint64_t done = now_ns, bare = now_ns - op->posted_ns, late;

	if (in_post || now_ns - before <= EXACT_NS) {
		bare_learn(d, op, bare);
	} else if (usual) {
		done = op->posted_ns + usual;
		if (done < before)
			done = before;
		if (done > now_ns)
			done = now_ns;
	}
	if (!in_post && usual && usual < bare)
		bare = usual; /* the rest of it was waiting for others, which the link's own queue stands for */
	op->due_ns = op->end_ns + bare > done ? op->end_ns + bare : done;
	late = emulate_latency(d->life->net, &d->random, n->c.latency_ns, n->c.jitter_ns);
	op->due_ns += late > n->own_ns ? late - n->own_ns : 0;
	op->err = err;
	op->done = true;
}

/* Take what the inner connection has; looked_ns tells later looks how old what they find may be. */
static void look(struct emulate_data *d, bool in_post)
{
	struct net_completion c[16];
	uint64_t now;
	int taken;

	do {
		taken = net_data_poll(d->w.inner, c, 16);
		now = emulate_now(d->life->net);
		for (int i = 0; i < taken; i++)
			op_done(d, &d->op[c[i].cookie % EMULATE_OPS], c[i].err, now, in_post);
	} while (taken == 16);
	d->looked_ns = d->now_ns = now;
}

/* ---- loop use with events ---- */

/* The first one is done: its time is known. Otherwise inner tells when it is. */
static void timer_arm(struct emulate_data *d)
{
	const struct emulate_op *op = &d->op[d->first];

	if (d->w.base.ready && d->count && op->done)
		emulate_timer(d->life->net, &d->timer, life_dead(d->life) ? 0 : op->due_ns);
}

static void timer_due(void *arg)
{
	struct emulate_data *d = arg;
	uint64_t due_ns = life_dead(d->life) ? 0 : d->op[d->first].due_ns;

	if (!d->count || !emulate_due(d->life->net, &d->timer, &d->fired_ns, due_ns))
		return;
	d->w.base.ready(d->w.base.ready_arg); /* may close it */
}

static void inner_ready(void *arg)
{
	look(arg, false);
	timer_arm(arg);
}

static int data_start(struct net_data *base)
{
	struct emulate_data *d = emulate_data(base);

	d->timer.fn = timer_due;
	d->timer.arg = d;
	return net_data_set_events(d->w.inner, inner_ready, d);
}

static int post(struct net_data *base, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
		uint64_t total, uint64_t cookie, bool write)
{
	struct emulate_data *d = emulate_data(base);
	uint32_t at = (d->first + d->count) % EMULATE_OPS;
	struct emulate_op *op = &d->op[at];
	uint64_t now;
	int err;

	if (d->count == EMULATE_OPS)
		return -EAGAIN;
	now = emulate_now(d->life->net);
	*op = (struct emulate_op){ .cookie = cookie,
				   .posted_ns = now,
				   .size_class = 63u - (uint32_t)__builtin_clzll(total) };
	err = wrap_post(base, r, off, sge, n, at, write);
	if (err)
		return err;
	op->end_ns = emulate_link_take(d->life, write ? LINK_OUT : LINK_IN, total, now);
	d->count++;
	look(d, true);
	if (d->count == 1)
		timer_arm(d);
	return 0;
}

static int data_read(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
		     uint64_t total, uint64_t cookie)
{
	return post(d, r, off, sge, n, total, cookie, false);
}

static int data_write(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
		      uint64_t total, uint64_t cookie)
{
	return post(d, r, off, sge, n, total, cookie, true);
}

/* The first one may be handed out: its time has come, or its connection is dead, and nothing is worth waiting for. */
static bool first_due(struct emulate_data *d, uint64_t now_ns)
{
	const struct emulate_op *op = &d->op[d->first];

	return d->count && op->done && (op->due_ns <= now_ns || life_dead(d->life));
}

static int data_poll(struct net_data *base, struct net_completion *c, int n)
{
	struct emulate_data *d = emulate_data(base);
	int taken = 0;

	if (!first_due(d, d->now_ns)) {
		if (!d->count)
			return 0;
		look(d, false);
	}
	while (taken < n && first_due(d, d->now_ns)) {
		struct emulate_op *op = &d->op[d->first];

		/* What was held while the connection died is not handed out as good. */
		c[taken++] = (struct net_completion){ op->cookie, !op->err && life_dead(d->life) ? -EPIPE : op->err };
		d->first = (d->first + 1) % EMULATE_OPS;
		d->count--;
	}
	timer_arm(d);
	return taken;
}

static int data_wait(struct net_data *base, uint64_t deadline_ns)
{
	struct emulate_data *d = emulate_data(base);
	struct emulate_net *n = d->life->net;
	int err;

	for (;;) {
		struct emulate_op *op = &d->op[d->first];

		if (d->count)
			look(d, false);
		if (first_due(d, d->now_ns))
			return 0;
		if (!d->count || !op->done) {
			err = net_data_wait(d->w.inner, deadline_ns);
			if (err)
				return err;
			continue;
		}
		if (!emulate_sleep_until(n, op->due_ns, deadline_ns))
			op->due_ns = 0;
		if (op->due_ns > deadline_ns && !life_dead(d->life))
			return -ETIMEDOUT;
		d->now_ns = op->due_ns;
		return 0;
	}
}

void emulate_data_slots(struct emulate_net *n)
{
	n->w.ops.data_open = data_open;
	n->w.ops.data_close = data_close;
	n->w.ops.data_start = data_start;
	n->w.ops.read = data_read;
	n->w.ops.write = data_write;
	n->w.ops.data_poll = data_poll;
	n->w.ops.data_wait = data_wait;
}
