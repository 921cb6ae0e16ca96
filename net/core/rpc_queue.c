/*
 * Requests that wait; rpc.h says who goes first. Every connection with waiting requests stands in one list: that of its
 * process (struct rpc_share), for the most urgent class among them. Every process with such a list stands in the queue's
 * list for that class. Turns go round both lists; a process stays first for as long as its credit of the round lasts: its
 * weight, where a request costs WEIGHT_DEFAULT and as much again for each KB behind its header (more than there is: it
 * waits for so many rounds).
 *
 * What waits is bounded by the credits of the connections.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "net/core/rpc_impl.h"

struct rpc_share {
	struct list link; /* rpc_queue.shares */
	uint32_t pid;
	unsigned connections, weight;
	struct list turns[NET_CLASSES];	 /* struct rpc by .turn */
	struct list active[NET_CLASSES]; /* rpc_queue.active[class], while turns[class] is not empty */
	int credit[NET_CLASSES];
};

struct rpc_queue {
	struct loop *loop;
	struct loop_timer timer; /* the end of this turn of the loop */
	bool turn_used;		 /* somebody was served at once in it, or something waits */
	struct list shares, active[NET_CLASSES];
	unsigned passed[NET_CLASSES];
	struct rpc_queue_stat stat;
};

/* ---- processes ---- */

static struct rpc_share *share_get(struct rpc_queue *q, uint32_t pid)
{
	struct list *pos, *tmp;
	struct rpc_share *s;

	list_for_each_safe(pos, tmp, &q->shares) {
		s = container_of(pos, struct rpc_share, link);
		if (s->pid == pid)
			return s;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->pid = pid;
	s->weight = WEIGHT_DEFAULT;
	for (unsigned i = 0; i < NET_CLASSES; i++) {
		list_init(&s->turns[i]);
		list_init(&s->active[i]);
	}
	list_add_tail(&q->shares, &s->link);
	q->stat.processes++;
	return s;
}

static void share_put(struct rpc_queue *q, struct rpc_share *s)
{
	if (s->connections)
		return;
	list_del(&s->link);
	q->stat.processes--;
	free(s);
}

/* ---- turns ---- */

static enum net_class class_of(const struct rpc *r)
{
	unsigned i = 0;

	while (i < NET_CLASSES - 1 && !r->in_queue_n[i])
		i++;
	return (enum net_class)i;
}

static void share_settle(struct rpc_queue *q, struct rpc_share *s, unsigned class)
{
	if (list_empty(&s->turns[class])) {
		list_del(&s->active[class]);
		s->credit[class] = 0;
	} else if (list_empty(&s->active[class])) {
		list_add_tail(&q->active[class], &s->active[class]);
	}
}

/* What waits on r has changed: put it where it belongs, behind the others there. */
static void turn_settle(struct rpc *r)
{
	list_del(&r->turn);
	if (!list_empty(&r->in_queue))
		list_add_tail(&r->share->turns[class_of(r)], &r->turn);
	for (unsigned i = 0; i < NET_CLASSES; i++)
		share_settle(r->queue, r->share, i);
}

static int cost_of(const struct rpc_waiting *w)
{
	return (1 + (int)((w->rq->info->req_bytes + w->tail_bytes) / 1024)) * (int)WEIGHT_DEFAULT;
}

/* The connection whose turn it is in this class. */
static struct rpc *share_turn(struct rpc_queue *q, unsigned class)
{
	for (;;) {
		struct rpc_share *s = container_of(q->active[class].next, struct rpc_share, active[class]);

		if (s->credit[class] > 0)
			return container_of(s->turns[class].next, struct rpc, turn);
		s->credit[class] += (int)s->weight;
		list_del(&s->active[class]);
		list_add_tail(&q->active[class], &s->active[class]);
	}
}

static void waiting_remove(struct rpc *r, struct rpc_waiting *w)
{
	list_del(&w->link);
	w->rq->waiting = NULL;
	r->in_queue_n[w->rq->info->class]--;
	r->queue->stat.waiting--;
}

/* Serve the oldest of r. The handler may close any connection. */
static void serve_first(struct rpc *r)
{
	struct rpc_waiting *w = container_of(r->in_queue.next, struct rpc_waiting, link);
	const struct msg_info *info = w->rq->info;

	waiting_remove(r, w);
	turn_settle(r);
	rpc_enter(r);
	rpc_serve_one(w->rq, w->msg, (uint8_t *)w->msg + info->req_bytes, w->tail_bytes);
	rpc_leave(r);
	free(w);
}

static bool serve_next(struct rpc_queue *q)
{
	unsigned waiting = 0;
	enum net_class class;
	struct rpc *r;

	for (unsigned i = 0; i < NET_CLASSES; i++)
		waiting |= list_empty(&q->active[i]) ? 0 : 1u << i;
	class = rpc_turn(waiting, waiting, q->passed);
	r = share_turn(q, class);
	r->share->credit[class] -= cost_of(container_of(r->in_queue.next, struct rpc_waiting, link));
	q->stat.waited[class]++;
	serve_first(r);
	return class == NET_DEMAND;
}

static void round_end(void *arg)
{
	struct rpc_queue *q = arg;

	for (unsigned i = 0; i < RPC_ROUND && q->stat.waiting; i++)
		if (!serve_next(q))
			break;
	q->turn_used = q->stat.waiting > 0;
	if (q->turn_used)
		loop_timer_set(q->loop, &q->timer, loop_now(q->loop));
}

int rpc_queue_add(struct rpc_request *rq, const struct rpc_msg *m)
{
	struct rpc *r = rq->rpc;
	struct rpc_queue *q = r->queue;
	struct rpc_waiting *w;

	if (!q->turn_used) {
		q->turn_used = true;
		q->stat.at_once++;
		loop_timer_set(q->loop, &q->timer, loop_now(q->loop));
		return 1;
	}
	w = malloc(sizeof(*w) + m->h.body_bytes + m->h.tail_bytes);
	if (!w)
		return -ENOMEM;
	w->rq = rq;
	w->tail_bytes = m->h.tail_bytes;
	memcpy(w->msg, m->body, m->h.body_bytes);
	if (m->h.tail_bytes)
		memcpy((uint8_t *)w->msg + m->h.body_bytes, m->tail, m->h.tail_bytes);
	rq->waiting = w;
	list_add_tail(&r->in_queue, &w->link);
	q->stat.waiting++;
	/* Its place changes only where it has become more urgent: others keep their turn. */
	if (!r->in_queue_n[rq->info->class]++ && class_of(r) == rq->info->class)
		turn_settle(r);
	return 0;
}

/* ---- connections ---- */

void rpc_queue_flush(struct rpc *r)
{
	while (!r->dead && !list_empty(&r->in_queue)) {
		r->queue->stat.waited[class_of(r)]++;
		serve_first(r);
	}
}

void rpc_queue_leave(struct rpc *r)
{
	struct list *pos, *tmp;

	if (!r->queue)
		return;
	list_for_each_safe(pos, tmp, &r->in_queue) {
		struct rpc_waiting *w = container_of(pos, struct rpc_waiting, link);
		struct rpc_request *rq = w->rq;

		waiting_remove(r, w);
		list_del(&rq->link);
		rpc_request_free(rq);
		free(w);
	}
	turn_settle(r);
	r->share->connections--;
	share_put(r->queue, r->share);
	r->queue = NULL;
	r->share = NULL;
}

int rpc_queue_charge(struct rpc *r, uint32_t pid, unsigned weight)
{
	struct rpc_share *old = r->share, *s;

	if (!r->queue)
		return 0;
	s = share_get(r->queue, pid);
	if (!s)
		return -ENOMEM;
	s->weight = weight < 1 ? 1 : weight > WEIGHT_MAX ? WEIGHT_MAX : weight;
	if (s == old)
		return 0;
	s->connections++;
	list_del(&r->turn);
	if (old) {
		for (unsigned i = 0; i < NET_CLASSES; i++)
			share_settle(r->queue, old, i);
		old->connections--;
		share_put(r->queue, old);
	}
	r->share = s;
	turn_settle(r);
	return 0;
}

int rpc_queue_join(struct rpc *r, struct rpc_queue *q)
{
	int err;

	BUG_ON(r->queue);
	r->queue = q;
	err = rpc_queue_charge(r, 0, WEIGHT_DEFAULT);
	if (err)
		r->queue = NULL;
	return err;
}

int rpc_queue_open(struct loop *loop, struct rpc_queue **out)
{
	struct rpc_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->loop = loop;
	q->timer.fn = round_end;
	q->timer.arg = q;
	list_init(&q->shares);
	for (unsigned i = 0; i < NET_CLASSES; i++)
		list_init(&q->active[i]);
	*out = q;
	return 0;
}

void rpc_queue_close(struct rpc_queue *q)
{
	BUG_ON(!list_empty(&q->shares));
	loop_timer_del(q->loop, &q->timer);
	free(q);
}

void rpc_queue_stat(const struct rpc_queue *q, struct rpc_queue_stat *s)
{
	*s = q->stat;
}
