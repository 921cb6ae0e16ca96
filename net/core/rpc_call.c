/*
 * Requests of ours, with a loop. A call is queued, by class, until the peer has said hello and a credit is free that its
 * class may take (demand first, and some are kept for it, so that no amount of others holds it up); then it waits,
 * and is sent again with the same id every RPC_RETRY_MS, until its reply comes or its deadline passes. A call whose
 * deadline passed after it was sent keeps its credit until the late reply comes: the peer still counts it.
 */
#include <errno.h>
#include <stdlib.h>
#include "ashlar/base/clock.h"
#include "net/core/rpc_impl.h"

struct rpc_call {
	struct list link; /* rpc.queued[class] or rpc.waiting */
	struct loop_timer timer;
	struct rpc *rpc;
	rpc_done_fn *done; /* NULL: given up, only the credit is outstanding */
	void *arg;
	const struct msg_info *info;
	uint64_t id; /* 0: not sent yet */
	uint64_t deadline_ns;
	uint32_t len;
	uint64_t msg[];
};

static void call_timer_set(struct rpc_call *c)
{
	uint64_t due = loop_now(c->rpc->loop) + RPC_RETRY_MS * NS_PER_MS;

	if (!c->id || due > c->deadline_ns)
		due = c->deadline_ns;
	loop_timer_set(c->rpc->loop, &c->timer, due);
}

static void call_unlink(struct rpc_call *c)
{
	list_del(&c->link);
	loop_timer_del(c->rpc->loop, &c->timer);
	if (c->id)
		c->rpc->tx_credits--;
	else
		c->rpc->n_queued[c->info->class]--;
}

/* The deadline has passed. */
static void call_give_up(struct rpc_call *c)
{
	rpc_done_fn *done = c->done;
	void *arg = c->arg;

	c->rpc->counters->timeouts++;
	c->done = NULL;
	if (!c->id) {
		call_unlink(c);
		free(c);
	}
	done(arg, -ETIMEDOUT, NULL, NULL, 0);
}

static void call_timer(void *arg)
{
	struct rpc_call *c = arg;
	struct rpc *r = c->rpc;

	rpc_enter(r);
	if (loop_now(r->loop) >= c->deadline_ns) {
		call_give_up(c);
	} else {
		r->counters->retries++;
		/* No room: the next retry comes soon enough. Gone: closed() follows. */
		(void)!net_send(r->conn, c->msg, c->len);
		call_timer_set(c);
	}
	rpc_leave(r);
}

static int call_send(struct rpc *r, struct rpc_call *c)
{
	struct wire_hdr *h = (struct wire_hdr *)c->msg;
	int err;

	h->req_id = r->tx_top + 1;
	err = net_send(r->conn, c->msg, c->len);
	if (err)
		return err;
	c->id = ++r->tx_top;
	list_del(&c->link);
	list_add_tail(&r->waiting, &c->link);
	r->n_queued[c->info->class]--;
	r->tx_credits++;
	call_timer_set(c);
	return 0;
}

void rpc_call_flush(struct rpc *r)
{
	for (;;) {
		unsigned able = 0, queued = 0;
		enum net_class class;

		if (r->dead || !r->greeted)
			return;
		for (unsigned i = 0; i < NET_CLASSES; i++) {
			queued |= r->n_queued[i] ? 1u << i : 0;
			if (r->n_queued[i] && r->tx_credits < rpc_credits_of(r->tx_credits_max, (enum net_class)i))
				able |= 1u << i;
		}
		if (!able)
			return;
		class = rpc_turn(able, queued, r->passed);
		if (call_send(r, container_of(r->queued[class].next, struct rpc_call, link)))
			return; /* until writable(), or closed() */
	}
}

int rpc_call(struct rpc *r, enum msg_id id, uint32_t pid, const void *req, const void *tail, uint32_t tail_bytes,
	     uint32_t deadline_ms, rpc_done_fn *done, void *arg)
{
	const struct msg_info *info = msg_info((uint16_t)id);
	struct wire_hdr h = { .msg = (uint16_t)id, .pid = pid, .tail_bytes = tail_bytes };
	struct rpc_call *c;

	if (!info || tail_bytes > info->req_tail_max)
		return -EINVAL;
	if (r->dead)
		return -EPIPE;
	if (r->n_queued[info->class] == RPC_QUEUE_MAX)
		return -EAGAIN;
	h.body_bytes = info->req_bytes;
	c = calloc(1, sizeof(*c) + sizeof(h) + h.body_bytes + tail_bytes);
	if (!c)
		return -ENOMEM;
	c->rpc = r;
	c->done = done;
	c->arg = arg;
	c->info = info;
	c->timer.fn = call_timer;
	c->timer.arg = c;
	c->deadline_ns = loop_now(r->loop) + (deadline_ms ? deadline_ms : RPC_DEADLINE_MS) * NS_PER_MS;
	c->len = rpc_encode(c->msg, &h, req, tail);
	list_add_tail(&r->queued[info->class], &c->link);
	r->n_queued[info->class]++;
	call_timer_set(c);
	rpc_call_flush(r);
	return 0;
}

const char *rpc_call_reply(struct rpc *r, const struct rpc_msg *m)
{
	struct list *pos, *tmp;
	struct rpc_call *c = NULL;

	if (m->h.req_id > r->tx_top)
		return "reply to nothing";
	list_for_each_safe(pos, tmp, &r->waiting) {
		c = container_of(pos, struct rpc_call, link);
		if (c->id == m->h.req_id)
			break;
		c = NULL;
	}
	if (!c) { /* its request was sent twice, and both were answered */
		r->counters->duplicates++;
		return NULL;
	}
	if (c->info != m->info)
		return "reply to another message";
	call_unlink(c);
	if (c->done)
		c->done(c->arg, m->h.err, m->h.err ? NULL : m->body, m->h.err ? NULL : m->tail, m->h.tail_bytes);
	free(c);
	rpc_call_flush(r);
	return NULL;
}

static void calls_end(struct list *calls, int err)
{
	while (!list_empty(calls)) {
		struct rpc_call *c = container_of(calls->next, struct rpc_call, link);

		call_unlink(c);
		if (c->done)
			c->done(c->arg, err, NULL, NULL, 0);
		free(c);
	}
}

void rpc_call_end(struct rpc *r, int err)
{
	calls_end(&r->waiting, err);
	for (unsigned i = 0; i < NET_CLASSES; i++)
		calls_end(&r->queued[i], err);
}
