/*
 * Requests of the peer: each is applied at most once. Of the last RPC_CREDITS ids a slot remembers what became of them:
 * never seen, under way, or answered (then the reply is kept and sent again). An id may be missing in between (lost on
 * a lossy fabric, it comes again), but not further ahead than the peer has credits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "net/core/rpc_impl.h"

static void reply_put(struct rpc_reply *p)
{
	if (p && !p->queued && !p->cached)
		free(p);
}

static void slot_clear(struct rpc_slot *s)
{
	if (s->reply)
		s->reply->cached = false;
	reply_put(s->reply);
	s->reply = NULL;
}

/* Hand a first reply to net; with that the peer's credit is free. What net cannot take waits for rpc_serve_flush. */
static bool reply_send(struct rpc *r, struct rpc_reply *p)
{
	if (net_send(r->conn, p->msg, p->len) == -EAGAIN)
		return false;
	/* Sent, or the connection is gone and its closed() is on the way. */
	r->rx_credits--;
	return true;
}

static struct rpc_reply *reply_build(const struct rpc_request *rq, int err, const void *rep)
{
	struct wire_hdr h = {
		.msg = rq->info->id,
		.flags = WIRE_REPLY,
		.err = err,
		.req_id = rq->id,
		.pid = rq->pid,
		.tid = rq->tid,
		.body_bytes = err ? 0 : rq->info->rep_bytes,
		.tail_bytes = err ? 0 : rq->tail_bytes,
	};
	struct rpc_reply *p = malloc(sizeof(*p) + sizeof(h) + h.body_bytes + h.tail_bytes);

	if (!p)
		return NULL;
	p->queued = p->cached = false;
	p->len = rpc_encode(p->msg, &h, rep, rq->tail);
	return p;
}

void rpc_request_free(struct rpc_request *rq)
{
	free(rq->tail);
	free(rq);
}

static void request_finish(struct rpc_request *rq, int err, const void *rep)
{
	struct rpc *r = rq->rpc;
	struct rpc_slot *s;
	struct rpc_reply *p;

	if (!r)
		goto out;
	list_del(&rq->link);
	p = reply_build(rq, err, rep);
	if (!p) {
		/* Applied but not answered: the peer must not believe otherwise. */
		rpc_doom(r, -ENOMEM);
		goto out;
	}
	s = &r->slot[rq->id % RPC_CREDITS];
	if (s->id == rq->id) {
		p->cached = true;
		s->reply = p;
	}
	if (!list_empty(&r->replies) || !reply_send(r, p)) {
		p->queued = true;
		list_add_tail(&r->replies, &p->link);
	}
	reply_put(p);
out:
	rpc_request_free(rq);
}

static const char *request_new(struct rpc *r, const struct rpc_msg *m, struct rpc_slot *s)
{
	const struct rpc_service *service = r->service;
	struct rpc_request *rq;
	int err;

	if (!service->handler[m->info->index]) {
		r->counters->refused++;
		return "not served here";
	}
	if (r->rx_credits == RPC_CREDITS)
		return "more requests than credits";
	rq = calloc(1, sizeof(*rq) + m->info->rep_bytes);
	if (!rq) {
		rpc_doom(r, -ENOMEM);
		return NULL;
	}
	slot_clear(s);
	s->id = m->h.req_id;
	if (s->id > r->rx_top)
		r->rx_top = s->id;
	r->rx_credits++;
	r->counters->requests[m->info->index]++;
	rq->rpc = r;
	rq->info = m->info;
	rq->id = s->id;
	rq->pid = m->h.pid;
	rq->tid = m->h.tid;
	list_add_tail(&r->requests, &rq->link);
	err = r->queue ? rpc_queue_add(rq, m) : 1;
	if (err < 0) {
		list_del(&rq->link);
		rpc_request_free(rq);
		rpc_doom(r, err);
	} else if (err) {
		rpc_serve_one(rq, m->body, m->tail, m->h.tail_bytes);
	}
	return NULL;
}

void rpc_serve_one(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes)
{
	const struct rpc_service *service = rq->rpc->service;
	int err = service->handler[rq->info->index](rq, body, tail, tail_bytes, rq->rep);

	BUG_ON(err > 0 && err != RPC_LATER);
	if (err != RPC_LATER)
		request_finish(rq, err, rq->rep);
}

const char *rpc_serve(struct rpc *r, const struct rpc_msg *m)
{
	uint64_t id = m->h.req_id;
	struct rpc_slot *s = &r->slot[id % RPC_CREDITS];

	if (id > r->rx_top && id - r->rx_top > RPC_CREDITS)
		return "request id out of sequence";
	if (id <= r->rx_top && r->rx_top - id >= RPC_CREDITS) {
		r->counters->duplicates++;
		return NULL;
	}
	if (s->id != id)
		return request_new(r, m, s);
	r->counters->duplicates++;
	/* When there is no room for it, the peer's next retry gets it. */
	if (s->reply && !s->reply->queued)
		(void)!net_send(r->conn, s->reply->msg, s->reply->len);
	return NULL;
}

void rpc_serve_flush(struct rpc *r)
{
	while (!r->dead && !list_empty(&r->replies)) {
		struct rpc_reply *p = container_of(r->replies.next, struct rpc_reply, link);

		if (!reply_send(r, p))
			return;
		list_del(&p->link);
		p->queued = false;
		reply_put(p);
	}
}

void rpc_serve_end(struct rpc *r)
{
	struct list *pos, *tmp;

	rpc_queue_leave(r);
	list_for_each_safe(pos, tmp, &r->requests) {
		container_of(pos, struct rpc_request, link)->rpc = NULL;
		list_del(pos);
	}
	for (unsigned i = 0; i < RPC_CREDITS; i++)
		slot_clear(&r->slot[i]);
	list_for_each_safe(pos, tmp, &r->replies) {
		struct rpc_reply *p = container_of(pos, struct rpc_reply, link);

		list_del(pos);
		p->queued = false;
		reply_put(p);
	}
}

struct rpc *rpc_request_rpc(const struct rpc_request *rq)
{
	return rq->rpc;
}

uint32_t rpc_request_pid(const struct rpc_request *rq)
{
	return rq->pid;
}

uint32_t rpc_request_tid(const struct rpc_request *rq)
{
	return rq->tid;
}

unsigned rpc_request_index(const struct rpc_request *rq)
{
	return rq->info->index;
}

int rpc_reply_tail(struct rpc_request *rq, const void *tail, uint32_t bytes)
{
	void *copy = NULL;

	BUG_ON(bytes > rq->info->rep_tail_max);
	if (bytes) {
		copy = malloc(bytes);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, tail, bytes);
	}
	free(rq->tail);
	rq->tail = copy;
	rq->tail_bytes = bytes;
	return 0;
}

void rpc_reply_later(struct rpc_request *rq, int err, const void *rep)
{
	BUG_ON(err > 0);
	request_finish(rq, err, rep ? rep : rq->rep);
}
