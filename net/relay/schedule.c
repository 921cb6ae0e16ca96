/*
 * Which piece of which transfer goes to the fabric next; relay.h states the order. What waits for a component of the rack
 * is queued by process (struct rflow) and class; the processes that have something wait in a ring for each class, and
 * take turns by deficit round robin. A transfer stays in its queue until its last piece is posted, then it flies.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/clock.h"
#include "net/relay/serve.h"

#define POLL_BATCH 16
#define AGAIN_NS NS_PER_MS
#define LAST 1u /* in a cookie: the last piece of its transfer */

static struct rtarget *target_get(struct relay *r, const char *addr)
{
	struct rtarget *t;

	for (struct list *l = r->targets.next; l != &r->targets; l = l->next) {
		t = container_of(l, struct rtarget, link);
		if (strcmp(t->addr, addr) == 0)
			return t;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	strcpy(t->addr, addr);
	list_init(&t->flows);
	for (unsigned i = 0; i < NET_CLASSES; i++)
		list_init(&t->ring[i]);
	list_add_tail(&r->targets, &t->link);
	return t;
}

static void target_put(struct rtarget *t)
{
	if (!list_empty(&t->flows))
		return;
	list_del(&t->link);
	free(t);
}

struct rflow *rflow_get(struct relay *r, const char *addr, const struct rwho *who)
{
	struct rtarget *t = target_get(r, addr);
	struct rflow *f;

	if (!t)
		return NULL;
	for (struct list *l = t->flows.next; l != &t->flows; l = l->next) {
		f = container_of(l, struct rflow, link);
		if (f->who.pid == who->pid && f->who.host_pid == who->host_pid) {
			f->who.weight = who->weight;
			f->conns++;
			return f;
		}
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		target_put(t);
		return NULL;
	}
	f->target = t;
	f->who = *who;
	f->conns = 1;
	for (unsigned i = 0; i < NET_CLASSES; i++) {
		list_init(&f->queue[i]);
		list_init(&f->turn[i]);
	}
	list_add_tail(&t->flows, &f->link);
	return f;
}

void rflow_put(struct rflow *f)
{
	if (--f->conns)
		return;
	list_del(&f->link);
	target_put(f->target);
	free(f);
}

/* ---- queues ---- */

static void flow_join(struct rflow *f, enum net_class class)
{
	if (list_empty(&f->turn[class]))
		list_add_tail(&f->target->ring[class], &f->turn[class]);
}

static void flow_leave(struct rflow *f, enum net_class class)
{
	if (!list_empty(&f->queue[class]))
		return;
	list_del(&f->turn[class]);
	f->deficit[class] = 0;
}

void rio_queue(struct rio *io)
{
	struct rflow *f = io->lane->conn->flow;

	list_add_tail(&f->queue[io->lane->class], &io->link);
	flow_join(f, io->lane->class);
}

static void rio_fly(struct rio *io)
{
	list_del(&io->link);
	list_add_tail(&io->lane->flying, &io->link);
	flow_leave(io->lane->conn->flow, io->lane->class);
}

static void account(struct rio *io, int64_t bytes)
{
	struct rtarget *t = io->lane->conn->flow->target;

	io->under_way = (uint32_t)(io->under_way + bytes);
	t->under_way = (uint32_t)(t->under_way + bytes);
	if (io->lane->class != NET_DEMAND)
		t->lower_under_way = (uint32_t)(t->lower_under_way + bytes);
}

/* ---- completions ---- */

static void piece_done(uint64_t cookie, int err)
{
	struct rio *io = (struct rio *)(uintptr_t)(cookie & ~(uint64_t)LAST);
	uint64_t rest = io->total % RELAY_CHUNK;

	account(io, -(int64_t)(cookie & LAST && rest ? rest : RELAY_CHUNK));
	io->pieces--;
	if (err && !io->err) {
		io->err = err;
		if (io->posted < io->total)
			rio_fly(io);
		io->posted = io->total;
	}
	if (!io->pieces && io->posted == io->total)
		rio_done(io);
}

static bool lane_poll(struct rlane *lane)
{
	struct net_completion c[POLL_BATCH];
	bool some = false;
	int n;

	while ((n = net_data_poll(lane->data, c, POLL_BATCH)) > 0) {
		for (int i = 0; i < n; i++)
			piece_done(c[i].cookie, c[i].err);
		some = true;
	}
	return some;
}

void rlane_ready(void *arg)
{
	struct rlane *lane = arg;

	lane_poll(lane);
	schedule(lane->conn->c->r, lane->conn->flow->target);
}

/* ---- posting ---- */

/* The pieces of memory of the next `bytes` of io. */
static unsigned piece_memory(const struct rio *io, uint32_t bytes, struct net_sge *sge)
{
	uint64_t skip = io->posted;
	unsigned n = 0;

	for (uint32_t i = 0; bytes; i++) {
		uint64_t off = io->part[i].off + skip, have = io->part[i].bytes - skip;

		if (skip >= io->part[i].bytes) {
			skip -= io->part[i].bytes;
			continue;
		}
		skip = 0;
		sge[n].mr = io->part[i].region->mr;
		sge[n].addr = (char *)net_mr_addr(sge[n].mr) + off;
		sge[n].bytes = have < bytes ? (uint32_t)have : bytes;
		bytes -= sge[n++].bytes;
	}
	return n;
}

static uint32_t piece_bytes(const struct rio *io)
{
	uint64_t left = io->total - io->posted;

	return left < RELAY_CHUNK ? (uint32_t)left : RELAY_CHUNK;
}

static int piece_post(struct rio *io, uint32_t bytes)
{
	uint64_t cookie = (uintptr_t)io | (io->posted + bytes == io->total ? LAST : 0);
	struct net_sge sge[NET_SGE_MAX];
	unsigned n = piece_memory(io, bytes, sge);

	if (!io->lane->data)
		return -EPIPE;
	return (io->write ? net_write : net_read)(io->lane->data, io->remote->remote, io->off + io->posted, sge, n,
						  cookie);
}

/* Post the next piece of f's first transfer. The bytes it took of its share, 0: the fabric is full. */
static uint32_t flow_post(struct relay *r, struct rflow *f, enum net_class class)
{
	struct rio *io = container_of(f->queue[class].next, struct rio, link);
	struct rlane *lane = io->lane;
	uint32_t bytes = piece_bytes(io);
	int err = piece_post(io, bytes);

	if (err == -EAGAIN)
		return 0;
	if (err) {
		io->err = err;
		io->posted = io->total;
		rio_fly(io);
		if (!io->pieces)
			rio_done(io);
		return bytes;
	}
	r->stats.bytes[class] += bytes;
	account(io, bytes);
	io->pieces++;
	io->posted += bytes;
	if (io->posted == io->total)
		rio_fly(io);
	lane_poll(lane); /* what ended inside the call is not told */
	return bytes;
}

static bool room_for(const struct rtarget *t, enum net_class class)
{
	if (t->under_way && t->under_way + RELAY_CHUNK > RELAY_WINDOW)
		return false;
	return class == NET_DEMAND || !t->lower_under_way || t->lower_under_way + RELAY_CHUNK <= RELAY_LOWER;
}

/* The class whose turn it is, NET_CLASSES: none's. */
static enum net_class class_next(const struct rtarget *t)
{
	unsigned turn = NET_CLASSES;

	for (unsigned i = NET_CLASSES; i-- > 0;)
		if (!list_empty(&t->ring[i]) && room_for(t, (enum net_class)i) &&
		    (turn == NET_CLASSES || t->since[turn] < RELAY_TRICKLE))
			turn = i;
	return (enum net_class)turn;
}

/* A class that was passed by enough of the more urgent ones goes before them, once. */
static void class_passed(struct rtarget *t, enum net_class class, uint32_t bytes)
{
	t->since[class] = 0;
	for (unsigned i = class + 1u; i < NET_CLASSES; i++)
		if (t->since[i] < RELAY_TRICKLE)
			t->since[i] += bytes;
}

/* The process whose turn it is: the first one that has some of its share left. */
static struct rflow *flow_next(struct rtarget *t, enum net_class class)
{
	for (;;) {
		struct rflow *f = container_of(t->ring[class].next, struct rflow, turn[class]);

		if (f->deficit[class] > 0)
			return f;
		f->deficit[class] += RELAY_QUANTUM / WEIGHT_DEFAULT * f->who.weight;
		list_del(&f->turn[class]);
		list_add_tail(&t->ring[class], &f->turn[class]);
	}
}

void schedule(struct relay *r, struct rtarget *t)
{
	enum net_class class;

	while ((class = class_next(t)) != NET_CLASSES) {
		struct rflow *f = flow_next(t, class);
		uint32_t bytes = flow_post(r, f, class);

		if (!bytes) {
			/* Completions make room; where none is to come, time must. */
			loop_timer_set(r->loop, &r->again, loop_now(r->loop) + AGAIN_NS);
			return;
		}
		if (!list_empty(&f->queue[class]))
			f->deficit[class] -= bytes;
		class_passed(t, class, bytes);
	}
}

/* ---- lanes ---- */

void rlane_init(struct rlane *lane, struct rconn *conn, enum net_class class)
{
	lane->conn = conn;
	lane->class = class;
	list_init(&lane->flying);
}

int rlane_open(struct rlane *lane)
{
	int err;

	if (lane->data)
		return 0;
	err = net_data_open(lane->conn->rack, lane->class, &lane->data);
	if (err)
		return err;
	err = net_data_set_events(lane->data, rlane_ready, lane);
	if (err) {
		net_data_close(lane->data);
		lane->data = NULL;
	}
	return err;
}

/* All of the lane's transfers, with nothing under way, into *out. */
static void lane_gather(struct rlane *lane, struct list *out)
{
	struct rflow *f = lane->conn->flow;
	struct list *from[] = { &lane->flying, &f->queue[lane->class] }, *pos, *next;

	list_init(out);
	if (lane->data)
		net_data_close(lane->data);
	lane->data = NULL;
	for (unsigned i = 0; i < 2; i++)
		list_for_each_safe(pos, next, from[i]) {
			struct rio *io = container_of(pos, struct rio, link);

			if (io->lane != lane)
				continue;
			account(io, -(int64_t)io->under_way);
			io->pieces = 0;
			list_del(&io->link);
			list_add_tail(out, &io->link);
		}
	flow_leave(f, lane->class);
}

void rlane_end(struct rlane *lane, int err)
{
	struct list all;

	lane_gather(lane, &all);
	while (!list_empty(&all)) {
		struct rio *io = container_of(all.next, struct rio, link);

		io->err = err;
		rio_done(io);
	}
}

void rlane_restart(struct rlane *lane, const struct rdata *stopped)
{
	struct list all;

	lane_gather(lane, &all);
	while (!list_empty(&all)) {
		struct rio *io = container_of(all.next, struct rio, link);

		if (!io->d || io->d == stopped) {
			io->d = NULL;
			rio_done(io);
			continue;
		}
		list_del(&io->link);
		io->posted = 0;
		io->err = 0;
		rio_queue(io);
	}
	if (rlane_open(lane))
		net_conn_kill(lane->conn->rack);
	schedule(lane->conn->c->r, lane->conn->flow->target);
}
