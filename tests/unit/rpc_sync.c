/*
 * Synchronous RPC against a server on another thread: calls, tails, posts, deadlines, ends.
 * also: tsan
 */
#include "tests/proto/raw.h"

static struct net *net;
static struct rpc *r;

static int open_net(void **state)
{
	server_start(state);
	net = raw_net();
	return 0;
}

static int close_net(void **state)
{
	net_close(net);
	return server_end(state);
}

static int each_start(void **state)
{
	return rpc_connect_sync(net, server.addr, KIND_DISPATCHER, KIND_GMM, 1000, &r);
}

static int each_end(void **state)
{
	rpc_close(r);
	server_settle(0);
	return 0;
}

static int beat(unsigned ms)
{
	struct x2g_beat_req req = { 0 };

	return rpc_call_sync(r, X2G_BEAT, 1, 2, &req, NULL, 0, ms, NULL, NULL, NULL);
}

static int end(unsigned ms)
{
	struct x2g_end_req req = { 0 };

	return rpc_call_sync(r, X2G_END, 1, 2, &req, NULL, 0, ms, NULL, NULL, NULL);
}

/* What waits at the server is let go, by another connection. */
static void let_go(void)
{
	struct x2g_join_req req = { 0 };
	struct rpc *other;

	assert_int_equal(rpc_connect_sync(net, server.addr, KIND_COMMAND, KIND_GMM, 1000, &other), 0);
	assert_int_equal(rpc_call_sync(other, X2G_JOIN, 0, 0, &req, NULL, 0, 0, NULL, NULL, NULL), 0);
	rpc_close(other);
}

static void calls(void **state)
{
	struct x2g_beat_req req = { 0 };
	struct x2g_beat_rep rep;
	struct p2m_stat_req stat = { 0 };
	unsigned first = beats();

	assert_int_equal(rpc_peer_kind(r), KIND_GMM);
	for (unsigned i = 1; i <= 1000; i++) {
		assert_int_equal(rpc_call_sync(r, X2G_BEAT, 1, 2, &req, NULL, 0, 0, &rep, NULL, NULL), 0);
		assert_int_equal(rep.epoch, first + i);
	}
	assert_int_equal(rpc_call_sync(r, P2M_STAT, 42, 43, &stat, NULL, 0, 0, NULL, NULL, NULL), -EXDEV);
	assert_int_equal(rpc_call_sync(r, P2M_STAT, 42, 44, &stat, NULL, 0, 0, NULL, NULL, NULL), -EACCES);
}

static void tails(void **state)
{
	struct map_entry e[MAP_BATCH_MAX] = { { .vpn = 77 } };
	struct p2m_map_req map = { .n = MAP_BATCH_MAX };
	struct x2g_status_req status = { 0 };
	struct x2g_status_rep rep;
	struct p2m_map_rep mapped;
	uint8_t tail[MSG_TAIL_MAX];
	uint32_t n = sizeof(tail);

	assert_int_equal(rpc_call_sync(r, P2M_MAP, 1, 1, &map, e, sizeof(e), 0, &mapped, NULL, NULL), 0);
	assert_int_equal(mapped.mapped_pages, 77);
	assert_int_equal(rpc_call_sync(r, X2G_STATUS, 1, 1, &status, NULL, 0, 0, &rep, tail, &n), 0);
	assert_int_equal(n, STATUS_TAIL);
	assert_int_equal(tail[0], 0x33);
	assert_int_equal(tail[n - 1], 0x33);
	assert_int_equal(rep.epoch, 7);
	n = 100;
	assert_int_equal(rpc_call_sync(r, X2G_STATUS, 1, 1, &status, NULL, 0, 0, &rep, tail, &n), -EMSGSIZE);
	assert_int_equal(rpc_call_sync(r, X2G_STATUS, 1, 1, &status, NULL, 0, 0, &rep, NULL, NULL), 0);
	assert_int_equal(rpc_call_sync(r, X2G_STATUS, 1, 1, &status, tail, 8, 0, &rep, NULL, NULL), -EINVAL);
}

static void posts(void **state)
{
	struct p2m_stat_req stat = { 0 };
	struct x2g_beat_req req = { 0 };
	unsigned first = beats(), sent = 0;

	while (sent < 1000) {
		int err = rpc_post_sync(r, X2G_BEAT, 1, 2, &req, NULL, 0);

		assert_true(!err || err == -EAGAIN);
		if (!err)
			sent++;
		else
			net_conn_wait(rpc_conn(r), clock_ns() + NS_PER_S);
	}
	assert_int_equal(beat(0), 0); /* behind all of them */
	assert_int_equal(beats(), first + 1001);
	assert_int_equal(rpc_async_error(r), 0);
	/* the first error is kept until it is asked for */
	assert_int_equal(rpc_post_sync(r, P2M_STAT, 42, 43, &stat, NULL, 0), 0);
	assert_int_equal(rpc_post_sync(r, P2M_STAT, 1, 1, &stat, NULL, 0), 0);
	assert_int_equal(beat(0), 0);
	assert_int_equal(rpc_async_error(r), -EXDEV);
	assert_int_equal(rpc_async_error(r), 0);
}

static void posts_without_end(void **state)
{
	struct x2g_end_req req = { 0 };

	for (unsigned i = 0; i < RPC_CREDITS; i++)
		assert_int_equal(rpc_post_sync(r, X2G_END, 1, 2, &req, NULL, 0), 0);
	assert_int_equal(rpc_post_sync(r, X2G_END, 1, 2, &req, NULL, 0), -EAGAIN);
	assert_int_equal(beat(50), -ETIMEDOUT); /* no credit */
	let_go();
	assert_int_equal(beat(0), 0);
	assert_int_equal(rpc_async_error(r), 0);
}

static void deadlines(void **state)
{
	uint64_t before;

	for (unsigned i = 0; i < RPC_CREDITS + 5; i++) {
		before = clock_ns();
		assert_int_equal(end(5), -ETIMEDOUT);
		assert_true(clock_ns() - before < NS_PER_S);
	}
	let_go();
	assert_int_equal(beat(0), 0); /* late replies are not taken for it */
	assert_int_equal(counted(&server.counters.malformed), 0);
}

static void retries(void **state)
{
	uint64_t duplicates = counted(&server.counters.duplicates);

	assert_int_equal(end(RPC_RETRY_MS + 200), -ETIMEDOUT);
	assert_int_equal(counted(&server.counters.duplicates), duplicates + 1);
	let_go();
	assert_int_equal(beat(0), 0);
}

static void ends(void **state)
{
	struct x2g_run_req req = { 0 };

	/* its handler closes the connection */
	assert_int_equal(rpc_call_sync(r, X2G_RUN, 1, 1, &req, NULL, 0, 0, NULL, NULL, NULL), -EPIPE);
	assert_int_equal(beat(0), -EPIPE);
	assert_int_equal(rpc_post_sync(r, X2G_RUN, 1, 1, &req, NULL, 0), -EPIPE);
}

static void killed(void **state)
{
	uint64_t before = clock_ns();

	net_conn_kill(rpc_conn(r));
	assert_int_equal(beat(0), -EPIPE);
	assert_true(clock_ns() - before < NS_PER_S);
}

/* Nothing is waited for until a call is: then all that was asked before is answered too. */
static void early(void **state)
{
	struct x2g_beat_req req = { 0 };
	struct x2g_beat_rep rep[6] = { 0 };
	struct rpc_answer answer[6];
	unsigned first = beats();
	struct rpc *e, *other;

	assert_int_equal(rpc_connect_early(net, server.addr, KIND_DISPATCHER, KIND_GMM, 1000, &e), 0);
	assert_int_equal(rpc_peer_kind(e), KIND_NONE);
	for (unsigned i = 0; i < 6; i++) { /* more than the credits that there are before the hello */
		answer[i].rep = &rep[i];
		assert_int_equal(rpc_ask_sync(e, X2G_BEAT, 1, &req, 1000, &answer[i]), 0);
	}
	assert_int_equal(rpc_peer_kind(e), KIND_GMM);
	assert_int_equal(rpc_call_sync(e, X2G_BEAT, 1, 2, &req, NULL, 0, 0, &rep[0], NULL, NULL), 0);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(answer[i].err, 0);
		assert_int_equal(rpc_answer_sync(e, &answer[i], 0), 0);
	}
	assert_int_equal(rep[5].epoch, first + 6);
	assert_int_equal(rep[0].epoch, first + 7);
	rpc_close(e);
	/* A refusal, and one whose answer does not come. */
	assert_int_equal(rpc_connect_early(net, server.addr, KIND_DISPATCHER, KIND_GMM, 1000, &e), 0);
	answer[0].rep = NULL;
	assert_int_equal(rpc_ask_sync(e, P2M_STAT, 42, &(struct p2m_stat_req){ 0 }, 1000, &answer[0]), 0);
	assert_int_equal(rpc_answer_sync(e, &answer[0], 1000), -EACCES);
	assert_true(rpc_answered(e));
	assert_int_equal(rpc_ask_sync(e, X2G_END, 1, &(struct x2g_end_req){ 0 }, 1000, &answer[0]), 0);
	assert_int_equal(rpc_answer_sync(e, &answer[0], 50), -ETIMEDOUT);
	assert_int_equal(answer[0].err, RPC_LATER);
	assert_false(rpc_answered(e));
	let_go();
	assert_int_equal(rpc_answer_sync(e, &answer[0], 1000), 0);
	rpc_close(e);
	/* Another peer than it should be: the first call that waits says so. */
	log_set_fd(-1);
	assert_int_equal(rpc_connect_early(net, server.addr, KIND_DISPATCHER, KIND_MEMORY, 1000, &other), 0);
	assert_int_equal(rpc_ask_sync(other, X2G_BEAT, 1, &req, 1000, &answer[0]), 0);
	assert_int_equal(rpc_answer_sync(other, &answer[0], 1000), -EPROTO);
	assert_int_equal(rpc_call_sync(other, X2G_BEAT, 1, 2, &req, NULL, 0, 0, &rep[0], NULL, NULL), -EPIPE);
	rpc_close(other);
	log_set_fd(2);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, each_start, each_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(calls), t(tails),  t(posts), t(posts_without_end), t(deadlines), t(retries),
		t(ends),  t(killed), t(early),
	};

	return cmocka_run_group_tests(tests, open_net, close_net);
}
