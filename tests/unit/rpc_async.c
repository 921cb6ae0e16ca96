/*
 * RPC with a loop, both ends on one loop in this process: calls before hello, more calls than credits, deadlines and
 * retries, requests in both directions, ends of every kind, closing from inside callbacks.
 * also: tsan
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "net/core/rpc_impl.h"

#define DEFERRED_MAX 256

static struct loop *loop;
static struct net *net;
static struct net_listener *listener;
static struct rpc_counters server_counters, client_counters;
static struct rpc *server, *client; /* the two ends of one connection */
static unsigned server_ends, client_ends;
static int client_end_err;
static struct rpc_request *deferred[DEFERRED_MAX];
static unsigned n_deferred, applied;

static void late(void *arg)
{
	fail_msg("nothing happened for 10 s");
}
static void enough(void *arg)
{
	loop_stop(loop);
}

static void run(void)
{
	struct loop_timer limit = { .fn = late };

	loop_timer_set(loop, &limit, loop_now(loop) + 10 * NS_PER_S);
	assert_int_equal(loop_run(loop), 0);
	loop_timer_del(loop, &limit);
}

static void run_ms(unsigned ms)
{
	struct loop_timer t = { .fn = enough };

	loop_timer_set(loop, &t, loop_now(loop) + ms * NS_PER_MS);
	run();
	loop_timer_del(loop, &t);
}

/* ---- server: beats count, ends are kept, a status has a tail ---- */

static int serve_beat(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	assert_ptr_equal(rpc_request_rpc(rq), server);
	((struct x2g_beat_rep *)rep)->epoch = ++applied;
	return ((const struct x2g_beat_req *)body)->processes ? -ENOSPC : 0;
}

static int serve_end(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	assert_true(n_deferred < DEFERRED_MAX);
	deferred[n_deferred++] = rq;
	applied++;
	return RPC_LATER;
}

static int serve_status(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	char text[] = "a tail of some bytes";

	return rpc_reply_tail(rq, text, sizeof(text));
}

static void server_closed(struct rpc *r, int err)
{
	assert_ptr_equal(r, server);
	server_ends++;
	server = NULL;
	rpc_close(r); /* harmless */
}

static int server_hello(struct rpc *r)
{
	assert_int_equal(rpc_peer_kind(r), KIND_MEMORY);
	return 0;
}

static const struct rpc_service server_service = {
	.handler = { [IDX_X2G_BEAT] = serve_beat, [IDX_X2G_END] = serve_end, [IDX_X2G_STATUS] = serve_status },
	.closed = server_closed,
	.hello = server_hello,
};

static void accepted(void *arg, struct net_conn *conn)
{
	assert_int_equal(rpc_open(loop, conn, KIND_GMM, &server_service, NULL, &server_counters, &server), 0);
}

/* ---- client: serves G2X_REVOKE ---- */

static int serve_revoke(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	assert_int_equal(rpc_request_pid(rq), 9);
	((struct g2x_revoke_rep *)rep)->released_bytes = 4096;
	return 0;
}

static void client_closed(struct rpc *r, int err)
{
	assert_ptr_equal(r, client);
	client_ends++;
	client_end_err = err;
	client = NULL;
}

static const struct rpc_service client_service = {
	.handler = { [IDX_G2X_REVOKE] = serve_revoke },
	.closed = client_closed,
};

static void deferred_release(void)
{
	while (n_deferred)
		rpc_reply_later(deferred[--n_deferred], 0, NULL);
}

static int each_start(void **state)
{
	struct net_options opt = { 0 };
	struct net_conn *conn;

	log_open("test", LOG_ERROR);
	memset(&server_counters, 0, sizeof(server_counters));
	memset(&client_counters, 0, sizeof(client_counters));
	server_ends = client_ends = applied = 0;
	assert_int_equal(loop_open(&loop), 0);
	opt.loop = loop;
	assert_int_equal(net_open("local", &opt, &net), 0);
	assert_int_equal(net_listen(net, "local:auto", accepted, NULL, &listener), 0);
	assert_int_equal(net_connect(net, net_listener_addr(listener), 1000, &conn), 0);
	assert_int_equal(rpc_open(loop, conn, KIND_MEMORY, &client_service, &applied, &client_counters, &client), 0);
	assert_ptr_equal(rpc_ctx(client), &applied);
	return 0;
}

static int each_end(void **state)
{
	if (client)
		rpc_close(client);
	client = NULL;
	run_ms(5);
	assert_null(server);
	deferred_release(); /* nobody there: harmless */
	net_listener_close(listener);
	net_close(net);
	loop_close(loop);
	return 0;
}

/* ---- calls ---- */

struct result {
	unsigned done, want;
	int err;
	uint64_t epoch;
	char tail[64];
	bool close_inside;
};

static void note(void *arg, int err, const void *rep, const void *tail, uint32_t n)
{
	struct result *res = arg;

	res->err = err;
	assert_true(!rep == !!err);
	if (rep)
		memcpy(&res->epoch, rep, sizeof(res->epoch));
	if (n)
		memcpy(res->tail, tail, n);
	if (res->close_inside && client) {
		rpc_close(client);
		client = NULL;
	}
	if (++res->done == res->want)
		loop_stop(loop);
}

static int call(enum msg_id id, uint32_t processes, unsigned ms, struct result *res)
{
	union {
		struct x2g_beat_req beat;
		uint8_t room[64];
	} req = { 0 };

	if (id == X2G_BEAT)
		req.beat.processes = processes;
	return rpc_call(client, id, 9, &req, NULL, 0, ms, note, res);
}

static void before_hello(void **state)
{
	struct result a = { .want = 9 }, b = { 0 };

	assert_null(server);
	assert_int_equal(call(X2G_BEAT, 0, 1000, &a), 0);
	assert_int_equal(call(X2G_BEAT, 1, 1000, &b), 0);
	assert_int_equal(call(X2G_STATUS, 0, 1000, &a), 0);
	assert_int_equal(a.done, 0); /* never from inside rpc_call */
	a.want = 2;
	run();
	assert_int_equal(a.done, 2);
	assert_int_equal(b.done, 1);
	assert_int_equal(b.err, -ENOSPC);
	assert_string_equal(a.tail, "a tail of some bytes");
	assert_int_equal(rpc_peer_kind(client), KIND_GMM);
	assert_int_equal(server_counters.requests[IDX_X2G_BEAT], 2);
}

static void more_than_credits(void **state)
{
	struct result ends = { 0 }, beat = { 0 };

	for (unsigned i = 0; i < 3 * RPC_CREDITS; i++)
		assert_int_equal(call(X2G_END, 0, 5000, &ends), 0);
	assert_int_equal(call(X2G_BEAT, 0, 5000, &beat), 0);
	run_ms(30);
	assert_int_equal(n_deferred, RPC_CREDITS);
	assert_int_equal(ends.done, 0);
	assert_int_equal(beat.done, 1); /* background, behind much demand: a little of it goes all the same */
	for (int i = 0; i < 3; i++) {
		deferred_release();
		run_ms(30);
	}
	assert_int_equal(ends.done, 3 * RPC_CREDITS);
	assert_int_equal(ends.err, 0);
	assert_int_equal(beat.done, 1);
	assert_int_equal(server_counters.malformed, 0);
}

/* Of the credits some are kept from what is not demand; and demand that was called later goes first. */
static void demand_first(void **state)
{
	struct result beats = { 0 }, ends = { 0 };

	run_ms(10);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(call(X2G_BEAT, 0, 5000, &beats), 0);
	for (unsigned i = 0; i < RPC_CREDITS_KEPT; i++)
		assert_int_equal(call(X2G_END, 0, 5000, &ends), 0);
	assert_int_equal(client->tx_credits, RPC_CREDITS);
	assert_int_equal(client->n_queued[NET_DEMAND], 0);
	assert_int_equal(client->n_queued[NET_BACKGROUND], 100 - (RPC_CREDITS - RPC_CREDITS_KEPT));
	run_ms(50);
	assert_int_equal(beats.done, 100);
	deferred_release();
	run_ms(30);
	assert_int_equal(ends.done, RPC_CREDITS_KEPT);
}

/* Credits of calls given up stay taken until the late reply; so the peer never sees a breach. */
static void deadlines(void **state)
{
	struct result ends = { .want = 100 }, beat = { .want = 1 };

	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(call(X2G_END, 0, 30, &ends), 0);
	run();
	assert_int_equal(ends.err, -ETIMEDOUT);
	assert_int_equal(client_counters.timeouts, 100);
	assert_int_equal(call(X2G_BEAT, 0, 1000, &beat), 0);
	run_ms(30);
	assert_int_equal(beat.done, 0);
	assert_int_equal(n_deferred, RPC_CREDITS); /* the others were never sent */
	deferred_release();
	run();
	assert_int_equal(beat.done, 1);
	assert_int_equal(beat.err, 0);
	assert_int_equal(ends.done, 100);
	assert_int_equal(server_counters.malformed, 0);
}

static void retries(void **state)
{
	struct result end = { .want = 1 };

	assert_int_equal(call(X2G_END, 0, 9000, &end), 0);
	run_ms(RPC_RETRY_MS + 200);
	assert_int_equal(client_counters.retries, 1);
	assert_int_equal(server_counters.duplicates, 1);
	assert_int_equal(applied, 1);
	deferred_release();
	run();
	assert_int_equal(end.err, 0);
}

static void other_direction(void **state)
{
	struct g2x_revoke_req req = { .pid = 1 };
	struct result res = { .want = 1 };

	run_ms(10);
	assert_int_equal(rpc_call(server, G2X_REVOKE, 9, &req, NULL, 0, 0, note, &res), 0);
	run();
	assert_int_equal(res.err, 0);
	assert_int_equal(res.epoch, 4096);
}

static void peer_gone(void **state)
{
	struct result ends = { 0 };

	for (unsigned i = 0; i < RPC_CREDITS + 10; i++)
		assert_int_equal(call(X2G_END, 0, 5000, &ends), 0);
	run_ms(10);
	ends.want = RPC_CREDITS + 10;
	rpc_close(server);
	server = NULL;
	run();
	assert_int_equal(ends.done, RPC_CREDITS + 10);
	assert_int_equal(ends.err, -EPIPE);
	run_ms(5);
	assert_int_equal(client_ends, 1);
	assert_int_equal(client_end_err, -EPIPE);
	assert_null(client);
}

static void closed_by_us(void **state)
{
	struct result ends = { 0 };

	for (unsigned i = 0; i < RPC_CREDITS + 10; i++)
		assert_int_equal(call(X2G_END, 0, 5000, &ends), 0);
	run_ms(10);
	rpc_close(client);
	client = NULL;
	assert_int_equal(ends.done, RPC_CREDITS + 10);
	assert_int_equal(ends.err, -ECANCELED);
	run_ms(10);
	assert_int_equal(client_ends, 0);
	assert_int_equal(server_ends, 1);
}

static void closed_inside_done(void **state)
{
	struct result a = { .close_inside = true }, b = { 0 };

	assert_int_equal(call(X2G_BEAT, 0, 5000, &a), 0);
	assert_int_equal(call(X2G_END, 0, 5000, &b), 0);
	run_ms(20);
	assert_int_equal(a.done, 1);
	assert_int_equal(a.err, 0);
	assert_int_equal(b.done, 1);
	assert_int_equal(b.err, -ECANCELED);
}

static void closed_inside_timeout(void **state)
{
	struct result a = { .close_inside = true }, b = { 0 };

	assert_int_equal(call(X2G_END, 0, 20, &a), 0);
	assert_int_equal(call(X2G_END, 0, 5000, &b), 0);
	run_ms(50);
	assert_int_equal(a.err, -ETIMEDOUT);
	assert_int_equal(b.err, -ECANCELED);
}

/* When the connection ends, done() of one call may try to close, or to call again. */
static void call_again(void *arg, int err, const void *rep, const void *tail, uint32_t n)
{
	struct result *res = arg;

	res->done++;
	assert_int_equal(err, -EPIPE);
	assert_int_equal(call(X2G_BEAT, 0, 100, res), -EPIPE);
	rpc_close(client);
}

static void inside_the_end(void **state)
{
	struct x2g_end_req req = { 0 };
	struct result res = { 0 };

	assert_int_equal(rpc_call(client, X2G_END, 1, &req, NULL, 0, 0, call_again, &res), 0);
	assert_int_equal(rpc_call(client, X2G_END, 1, &req, NULL, 0, 0, call_again, &res), 0);
	run_ms(10);
	rpc_close(server);
	server = NULL;
	run_ms(10);
	assert_int_equal(res.done, 2);
	assert_int_equal(client_ends, 1);
}

static void wrong_calls(void **state)
{
	struct result res = { 0 };
	uint8_t tail[8] = { 0 }, req[64] = { 0 };

	assert_int_equal(rpc_call(client, (enum msg_id)0x7777, 1, req, NULL, 0, 0, note, &res), -EINVAL);
	assert_int_equal(rpc_call(client, MSG_HELLO, 1, req, NULL, 0, 0, note, &res), -EINVAL);
	assert_int_equal(rpc_call(client, X2G_BEAT, 1, req, tail, sizeof(tail), 0, note, &res), -EINVAL);
	run_ms(5);
	assert_int_equal(res.done, 0);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, each_start, each_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(before_hello),
		t(more_than_credits),
		t(demand_first),
		t(deadlines),
		t(retries),
		t(other_direction),
		t(peer_gone),
		t(closed_by_us),
		t(closed_inside_done),
		t(closed_inside_timeout),
		t(inside_the_end),
		t(wrong_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
