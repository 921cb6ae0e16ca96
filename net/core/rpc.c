/* RPC with a loop: opening, hellos, what is common to both directions, breaches, closing. */
#include <errno.h>
#include <stdlib.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "net/core/rpc_impl.h"

void rpc_enter(struct rpc *r)
{
	r->inside++;
}

void rpc_leave(struct rpc *r)
{
	if (--r->inside == 0 && r->dead)
		free(r);
}

static void rpc_end(struct rpc *r, int calls_err)
{
	r->dead = true;
	net_conn_kill(r->conn);
	loop_timer_del(r->loop, &r->hello_timer);
	rpc_lobby_leave(r);
	rpc_serve_end(r);
	rpc_call_end(r, calls_err);
}

void rpc_fail(struct rpc *r, int err)
{
	if (r->dead)
		return;
	rpc_end(r, -EPIPE);
	r->service->closed(r, err);
	net_conn_close(r->conn);
}

void rpc_doom(struct rpc *r, int err)
{
	if (!r->doom)
		r->doom = err;
	net_conn_kill(r->conn);
}

void rpc_close(struct rpc *r)
{
	if (!r->loop) {
		rpc_sync_close(r);
		return;
	}
	if (r->dead)
		return;
	rpc_enter(r);
	rpc_end(r, -ECANCELED);
	net_conn_close(r->conn);
	rpc_leave(r);
}

void rpc_breach(struct rpc *r, const char *words, const void *buf, size_t len)
{
	char line[MSG_FORMAT_BYTES];
	struct net_peer peer;

	r->counters->malformed++;
	net_conn_peer(r->conn, &peer);
	log_warn("connection to %s (process %d) ended: %s: %s", kind_name(r->peer_kind), peer.host_pid, words,
		 msg_format(buf, len, line, sizeof(line)));
}

/* Of those who have not shown the rack's key only dispatchers are heard: they have capabilities of their own to show. */
static int stranger_check(struct rpc *r)
{
	struct net_peer peer;

	net_conn_peer(r->conn, &peer);
	if (!peer.stranger || r->peer_kind == KIND_DISPATCHER)
		return 0;
	log_warn("refused: a peer that calls itself a %s and has not the key of this rack", kind_name(r->peer_kind));
	return -EACCES;
}

static void hello_rx(struct rpc *r, const void *buf, size_t len)
{
	struct hello_req hello;
	const char *wrong = rpc_hello_check(buf, len, &hello);
	int err;

	if (wrong) {
		rpc_breach(r, wrong, buf, len);
		rpc_fail(r, -EPROTO);
		return;
	}
	loop_timer_del(r->loop, &r->hello_timer);
	r->greeted = true;
	r->peer_kind = (enum wire_kind)hello.kind;
	r->tx_credits_max = hello.credits < RPC_CREDITS ? hello.credits : RPC_CREDITS;
	err = stranger_check(r);
	if (!err && r->service->hello)
		err = r->service->hello(r);
	if (r->dead)
		return;
	if (err) {
		r->counters->refused++;
		rpc_fail(r, err);
		return;
	}
	rpc_call_flush(r);
}

static void on_message(void *arg, const void *buf, size_t len)
{
	struct rpc *r = arg;
	struct rpc_msg m;
	const char *wrong;

	rpc_enter(r);
	if (!r->greeted) {
		hello_rx(r, buf, len);
	} else {
		wrong = rpc_is_hello(buf, len) ? "second hello" : rpc_msg_check(buf, len, &m);
		if (!wrong)
			wrong = m.h.flags & WIRE_REPLY ? rpc_call_reply(r, &m) : rpc_serve(r, &m);
		if (wrong) {
			rpc_breach(r, wrong, buf, len);
			rpc_fail(r, -EPROTO);
		}
	}
	rpc_leave(r);
}

static void on_closed(void *arg, int err)
{
	struct rpc *r = arg;

	rpc_enter(r);
	if (!r->doom) /* what the peer sent before it hung up is done, as if nothing had waited */
		rpc_queue_flush(r);
	rpc_fail(r, r->doom ? r->doom : err);
	rpc_leave(r);
}

static void on_writable(void *arg)
{
	struct rpc *r = arg;

	rpc_enter(r);
	rpc_serve_flush(r);
	rpc_call_flush(r);
	rpc_leave(r);
}

static const struct net_conn_events conn_events = {
	.message = on_message,
	.closed = on_closed,
	.writable = on_writable,
};

static void hello_late(void *arg)
{
	struct rpc *r = arg;

	rpc_enter(r);
	r->counters->timeouts++;
	rpc_fail(r, -ETIMEDOUT);
	rpc_leave(r);
}

int rpc_open(struct loop *loop, struct net_conn *conn, enum wire_kind kind, const struct rpc_service *service,
	     void *ctx, struct rpc_counters *counters, struct rpc **out)
{
	struct rpc *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		goto out_close;
	r->conn = conn;
	r->loop = loop;
	r->service = service;
	r->counters = counters;
	r->ctx = ctx;
	r->kind = kind;
	r->hello_timer.fn = hello_late;
	r->hello_timer.arg = r;
	list_init(&r->requests);
	list_init(&r->replies);
	list_init(&r->in_queue);
	list_init(&r->turn);
	for (unsigned i = 0; i < NET_CLASSES; i++)
		list_init(&r->queued[i]);
	list_init(&r->waiting);
	err = net_conn_set_events(conn, &conn_events, r);
	if (!err)
		err = rpc_hello_send(conn, kind);
	if (err && err != -EPIPE) /* what a peer that has hung up already had to say is heard all the same */
		goto out_free;
	loop_timer_set(loop, &r->hello_timer, loop_now(loop) + RPC_HELLO_MS * NS_PER_MS);
	if (service->lobby)
		rpc_lobby_enter(r);
	*out = r;
	return 0;

out_free:
	free(r);
out_close:
	net_conn_close(conn);
	return err;
}

void *rpc_ctx(const struct rpc *r)
{
	return r->ctx;
}

void rpc_set_ctx(struct rpc *r, void *ctx)
{
	r->ctx = ctx;
}

struct net_conn *rpc_conn(const struct rpc *r)
{
	return r->conn;
}

enum wire_kind rpc_peer_kind(const struct rpc *r)
{
	return r->peer_kind;
}
