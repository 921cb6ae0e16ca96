/*
 * Synchronous RPC: one caller at a time sends and waits; replies to what was posted, or to what nobody waits for any
 * more, are taken in passing. All memory is allocated when the connection is made. A request of the peer is a breach,
 * unless rpc_sync_serve was called: then it is served in passing, too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "net/core/rpc_impl.h"

enum sent_state { SENT_FREE, SENT_CALL, SENT_POST, SENT_GIVEN_UP };

struct sent {
	enum sent_state state;
	const struct msg_info *info;
	uint64_t id;
	struct rpc_answer *answer; /* of SENT_POST: where its reply goes; NULL: nowhere */
};

struct rpc_sync {
	struct sent sent[RPC_CREDITS];
	enum wire_kind wanted; /* who must be there; KIND_NONE: anybody */
	char addr[ADDR_BYTES];
	int async_err; /* first error of a post, until asked for */
	struct rpc_counters counters;
	uint64_t tx[MSG_BYTES_MAX / 8], rx[MSG_BYTES_MAX / 8];
};

static int sync_breach(struct rpc *r, const char *words, size_t len)
{
	rpc_breach(r, words, r->sync->rx, len);
	net_conn_kill(r->conn);
	return -EPROTO;
}

/* The next message of any kind into rx: its length, -ETIMEDOUT, -EPIPE, -EPROTO. */
static long sync_recv(struct rpc *r, uint64_t deadline_ns)
{
	for (;;) {
		long n = net_recv(r->conn, r->sync->rx, sizeof(r->sync->rx));
		int err;

		if (n != -EAGAIN)
			return n;
		err = net_conn_wait(r->conn, deadline_ns);
		if (err && err != -EINTR)
			return err;
	}
}

static struct sent *sent_find(struct rpc *r, uint64_t id)
{
	for (unsigned i = 0; i < RPC_CREDITS; i++)
		if (r->sync->sent[i].state != SENT_FREE && r->sync->sent[i].id == id)
			return &r->sync->sent[i];
	return NULL;
}

static struct sent *sent_new(struct rpc *r, const struct msg_info *info, enum sent_state state)
{
	struct sent *s = r->sync->sent;

	while (s->state != SENT_FREE)
		s++;
	*s = (struct sent){ .state = state, .info = info, .id = ++r->tx_top };
	r->tx_credits++;
	return s;
}

static void sent_end(struct rpc *r, struct sent *s)
{
	s->state = SENT_FREE;
	r->tx_credits--;
}

/* The peer's first message. */
static int hello_take(struct rpc *r, size_t n)
{
	const char *addr = r->sync->addr, *wrong;
	struct hello_req hello;

	wrong = rpc_hello_check(r->sync->rx, n, &hello);
	if (!wrong && hello.credits < r->tx_credits)
		wrong = "it takes fewer requests than were sent ahead of its hello";
	if (!wrong && (r->sync->wanted == KIND_NONE || hello.kind == r->sync->wanted)) {
		r->greeted = true;
		r->peer_kind = (enum wire_kind)hello.kind;
		r->tx_credits_max = hello.credits < RPC_CREDITS ? hello.credits : RPC_CREDITS;
		return 0;
	}
	if (wrong)
		log_error("%s: %s", addr, wrong);
	else
		log_error("%s: a %s component, not a %s component", addr, kind_name(hello.kind),
			  kind_name(r->sync->wanted));
	net_conn_kill(r->conn);
	return -EPROTO;
}

static void answer_take(struct rpc_answer *a, const struct rpc_msg *m)
{
	a->err = m->h.err;
	if (!a->err && a->rep)
		memcpy(a->rep, m->body, m->h.body_bytes);
}

/*
 * Take one message. 1: it is the reply to `waited` (m is valid until the next call), 0: it was another's, or -errno.
 * A hang-up and a breach end the connection for good.
 */
static int reply_take(struct rpc *r, const struct sent *waited, struct rpc_msg *m, uint64_t deadline_ns)
{
	long n = sync_recv(r, deadline_ns);
	const char *wrong;
	struct sent *s;
	bool is_waited;

	if (n < 0)
		return (int)n;
	if (!r->greeted)
		return hello_take(r, (size_t)n);
	wrong = rpc_is_hello(r->sync->rx, (size_t)n) ? "second hello" : rpc_msg_check(r->sync->rx, (size_t)n, m);
	if (wrong)
		return sync_breach(r, wrong, (size_t)n);
	if (!(m->h.flags & WIRE_REPLY)) {
		wrong = r->service ? rpc_serve(r, m) : "not served here";
		return wrong ? sync_breach(r, wrong, (size_t)n) : 0;
	}
	if (m->h.req_id > r->tx_top)
		return sync_breach(r, "reply to nothing", (size_t)n);
	s = sent_find(r, m->h.req_id);
	if (!s) {
		r->counters->duplicates++;
		/* A peer that only ever sends these would keep us here for ever. */
		return deadline_ns && clock_ns() >= deadline_ns ? -ETIMEDOUT : 0;
	}
	if (s->info != m->info)
		return sync_breach(r, "reply to another message", (size_t)n);
	if (s->answer)
		answer_take(s->answer, m);
	else if (s->state == SENT_POST && m->h.err && !r->sync->async_err)
		r->sync->async_err = m->h.err;
	is_waited = s == waited;
	sent_end(r, s);
	return is_waited;
}

/* Take the replies that are there, without waiting. 0, -EPIPE, -EPROTO. */
static int replies_collect(struct rpc *r)
{
	struct rpc_msg m;
	int err = 0;

	for (unsigned i = 0; i < 2 * RPC_CREDITS && !err; i++)
		err = reply_take(r, NULL, &m, 0);
	return err == -ETIMEDOUT ? 0 : err;
}

static int credit_wait(struct rpc *r, enum net_class class, uint64_t deadline_ns)
{
	struct rpc_msg m;
	int err;

	while (r->tx_credits >= rpc_credits_of(r->tx_credits_max, class)) {
		err = reply_take(r, NULL, &m, deadline_ns);
		if (err < 0)
			return err;
	}
	return 0;
}

/* Send tx; while the socket is full take replies, so that the two sides never wait for each other. */
static int request_send(struct rpc *r, uint32_t len, uint64_t deadline_ns)
{
	int err;

	while ((err = net_send(r->conn, r->sync->tx, len)) == -EAGAIN) {
		err = net_conn_wait(r->conn, deadline_ns);
		if (err && err != -EINTR)
			return err;
		err = replies_collect(r);
		if (err)
			return err;
	}
	return err;
}

/* Encode into tx under the next id. Length, or -EINVAL. */
static int request_encode(struct rpc *r, enum msg_id id, uint32_t pid, uint32_t tid, const void *req, const void *tail,
			  uint32_t tail_bytes)
{
	const struct msg_info *info = msg_info((uint16_t)id);
	struct wire_hdr h = {
		.msg = (uint16_t)id, .req_id = r->tx_top + 1, .pid = pid, .tid = tid, .tail_bytes = tail_bytes
	};

	if (!info || tail_bytes > info->req_tail_max)
		return -EINVAL;
	h.body_bytes = info->req_bytes;
	return (int)rpc_encode(r->sync->tx, &h, req, tail);
}

/* Wait for the reply to s, sending tx again from time to time. 0, or -errno of the wait; the credit stays taken then. */
static int reply_wait(struct rpc *r, struct sent *s, uint32_t len, struct rpc_msg *m, uint64_t deadline_ns)
{
	for (;;) {
		uint64_t retry_ns = clock_ns() + RPC_RETRY_MS * NS_PER_MS;
		int err;

		do
			err = reply_take(r, s, m, retry_ns < deadline_ns ? retry_ns : deadline_ns);
		while (!err);
		if (err == 1)
			return 0;
		s->state = SENT_GIVEN_UP;
		if (err != -ETIMEDOUT)
			return err;
		if (clock_ns() >= deadline_ns) {
			r->counters->timeouts++;
			return err;
		}
		s->state = SENT_CALL;
		r->counters->retries++;
		err = net_send(r->conn, r->sync->tx, len);
		if (err && err != -EAGAIN)
			return err;
	}
}

static int reply_copy(const struct rpc_msg *m, void *rep, void *tail, uint32_t *tail_bytes)
{
	if (m->h.err)
		return m->h.err;
	if (rep)
		memcpy(rep, m->body, m->h.body_bytes);
	if (!tail_bytes)
		return 0;
	if (m->h.tail_bytes > *tail_bytes)
		return -EMSGSIZE;
	if (m->h.tail_bytes)
		memcpy(tail, m->tail, m->h.tail_bytes);
	*tail_bytes = m->h.tail_bytes;
	return 0;
}

/* Send a request, which waits for credit and room: its length, or -errno. */
static int request_go(struct rpc *r, enum msg_id id, uint32_t pid, uint32_t tid, const void *req, const void *tail,
		      uint32_t tail_bytes, uint64_t deadline_ns)
{
	int len, err;

	r->answered = false;
	if (net_conn_dead(r->conn))
		return -EPIPE;
	len = request_encode(r, id, pid, tid, req, tail, tail_bytes);
	if (len < 0)
		return len;
	err = credit_wait(r, msg_info((uint16_t)id)->class, deadline_ns);
	if (!err)
		err = request_send(r, (uint32_t)len, deadline_ns);
	return err ? err : len;
}

int rpc_call_sync(struct rpc *r, enum msg_id id, uint32_t pid, uint32_t tid, const void *req, const void *tail,
		  uint32_t tail_bytes, uint32_t deadline_ms, void *rep, void *rep_tail, uint32_t *rep_tail_bytes)
{
	uint64_t deadline_ns = clock_ns() + (deadline_ms ? deadline_ms : RPC_DEADLINE_MS) * NS_PER_MS;
	int len = request_go(r, id, pid, tid, req, tail, tail_bytes, deadline_ns), err;
	struct rpc_msg m;
	struct sent *s;

	if (len < 0)
		return len;
	s = sent_new(r, msg_info((uint16_t)id), SENT_CALL);
	err = reply_wait(r, s, (uint32_t)len, &m, deadline_ns);
	r->answered = !err;
	return err ? err : reply_copy(&m, rep, rep_tail, rep_tail_bytes);
}

bool rpc_answered(const struct rpc *r)
{
	return r->answered;
}

int rpc_post_sync(struct rpc *r, enum msg_id id, uint32_t pid, uint32_t tid, const void *req, const void *tail,
		  uint32_t tail_bytes)
{
	int len, err;

	if (net_conn_dead(r->conn))
		return -EPIPE;
	err = replies_collect(r);
	if (err)
		return err;
	len = request_encode(r, id, pid, tid, req, tail, tail_bytes);
	if (len < 0)
		return len;
	if (r->tx_credits >= rpc_credits_of(r->tx_credits_max, msg_info((uint16_t)id)->class))
		return -EAGAIN;
	err = net_send(r->conn, r->sync->tx, (size_t)len);
	if (!err)
		sent_new(r, msg_info((uint16_t)id), SENT_POST);
	return err;
}

int rpc_ask_sync(struct rpc *r, enum msg_id id, uint32_t pid, const void *req, uint32_t deadline_ms,
		 struct rpc_answer *answer)
{
	int len = request_go(r, id, pid, 0, req, NULL, 0, clock_ns() + deadline_ms * NS_PER_MS);

	if (len < 0)
		return len;
	answer->err = RPC_LATER;
	sent_new(r, msg_info((uint16_t)id), SENT_POST)->answer = answer;
	return 0;
}

int rpc_answer_sync(struct rpc *r, const struct rpc_answer *answer, uint32_t deadline_ms)
{
	uint64_t deadline_ns = clock_ns() + deadline_ms * NS_PER_MS;
	struct rpc_msg m;
	int err = 0;

	r->answered = false;
	while (answer->err == RPC_LATER && !err)
		err = reply_take(r, NULL, &m, deadline_ns);
	r->answered = !err;
	return err ? err : answer->err;
}

void rpc_sync_serve(struct rpc *r, const struct rpc_service *service, void *ctx)
{
	r->service = service;
	r->ctx = ctx;
}

int rpc_sync_step(struct rpc *r)
{
	if (net_conn_dead(r->conn))
		return -EPIPE;
	rpc_serve_flush(r);
	return replies_collect(r);
}

int rpc_async_error(struct rpc *r)
{
	int err = r->sync->async_err;

	r->sync->async_err = 0;
	return err;
}

void rpc_sync_close(struct rpc *r)
{
	rpc_serve_end(r);
	net_conn_close(r->conn);
	free(r->sync);
	free(r);
}

int rpc_connect_early(struct net *net, const char *addr, enum wire_kind kind, enum wire_kind peer, uint32_t timeout_ms,
		      struct rpc **out)
{
	struct rpc *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		return err;
	r->sync = calloc(1, sizeof(*r->sync));
	if (!r->sync)
		goto out_free;
	r->counters = &r->sync->counters;
	r->kind = kind;
	r->sync->wanted = peer;
	snprintf(r->sync->addr, sizeof(r->sync->addr), "%s", addr);
	r->tx_credits_max = RPC_CREDITS_EARLY;
	list_init(&r->requests);
	list_init(&r->replies);
	err = net_connect(net, addr, timeout_ms, &r->conn);
	if (err)
		goto out_free;
	err = rpc_hello_send(r->conn, r->kind);
	if (err)
		goto out_close;
	*out = r;
	return 0;

out_close:
	net_conn_close(r->conn);
out_free:
	free(r->sync);
	free(r);
	return err;
}

int rpc_connect_sync(struct net *net, const char *addr, enum wire_kind kind, enum wire_kind peer, uint32_t timeout_ms,
		     struct rpc **out)
{
	uint64_t deadline_ns = clock_ns() + timeout_ms * NS_PER_MS;
	struct rpc_msg m;
	struct rpc *r;
	int err = rpc_connect_early(net, addr, kind, peer, timeout_ms, &r);

	if (err)
		return err;
	err = reply_take(r, NULL, &m, deadline_ns); /* the hello: it is the first of all messages */
	if (err)
		rpc_sync_close(r);
	else
		*out = r;
	return err;
}
