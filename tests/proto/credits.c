/*
 * Credits: RPC_CREDITS requests may be outstanding, one more ends the connection; peers that do not read, or go away.
 * also: tsan
 */
#include "raw.h"

static struct net *net;

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

static void end_send(struct net_conn *c, uint64_t id)
{
	struct raw m;

	assert_int_equal(net_send(c, &m, raw_request(&m, X2G_END, id, 0)), 0);
}

static void up_to_the_limit(void **state)
{
	struct net_conn *c = raw_connect(net), *other = raw_connect(net);
	uint8_t seen[RPC_CREDITS + 1] = { 0 };
	struct raw m;

	for (int round = 0; round < 3; round++) {
		for (uint64_t id = 1; id <= RPC_CREDITS; id++)
			end_send(c, (uint64_t)round * RPC_CREDITS + id);
		raw_silent(c, 20);
		/* let go by another connection */
		assert_int_equal(net_send(other, &m, raw_request(&m, X2G_JOIN, (uint64_t)round + 1, 0)), 0);
		assert_int_equal(raw_reply(other, (uint64_t)round + 1, &m), 0);
		memset(seen, 0, sizeof(seen));
		for (uint64_t i = 1; i <= RPC_CREDITS; i++) {
			uint64_t id;

			assert_true(raw_recv(c, &m, sizeof(m), 5000) > 0);
			id = m.h.req_id - (uint64_t)round * RPC_CREDITS;
			assert_in_range(id, 1, RPC_CREDITS);
			assert_int_equal(seen[id]++, 0);
		}
	}
	net_conn_close(c);
	net_conn_close(other);
	server_settle(0);
	good_client();
}

static void one_more(void **state)
{
	struct net_conn *c = raw_connect(net), *other = raw_connect(net);
	uint64_t malformed = counted(&server.counters.malformed);
	struct raw m;

	for (uint64_t id = 1; id <= RPC_CREDITS + 1; id++)
		end_send(c, id);
	raw_closed(c);
	assert_int_equal(counted(&server.counters.malformed), malformed + 1);
	/* the service answers what it had kept: harmless, the peer is gone */
	assert_int_equal(net_send(other, &m, raw_request(&m, X2G_JOIN, 1, 0)), 0);
	assert_int_equal(raw_reply(other, 1, &m), 0);
	net_conn_close(c);
	net_conn_close(other);
	server_settle(0);
	good_client();
}

/* Long replies to a peer that does not read: it is served so far as there is room, all comes when it reads. */
static void slow_reader(void **state)
{
	struct net_conn *c = raw_connect(net);
	const uint64_t n = RPC_CREDITS + 20;
	struct raw m;

	for (uint64_t id = 1; id <= RPC_CREDITS; id++)
		assert_int_equal(net_send(c, &m, raw_request(&m, X2G_STATUS, id, 0)), 0);
	for (int i = 0; i < 10000 && counted(&server.counters.requests[IDX_X2G_STATUS]) < RPC_CREDITS; i++)
		usleep(1000);
	assert_int_equal(counted(&server.counters.requests[IDX_X2G_STATUS]), RPC_CREDITS);
	good_client();
	for (uint64_t id = 1; id <= n; id++) {
		assert_int_equal(raw_reply(c, id, &m), 0);
		assert_int_equal(m.h.tail_bytes, STATUS_TAIL);
		if (id + RPC_CREDITS <= n)
			assert_int_equal(net_send(c, &m, raw_request(&m, X2G_STATUS, id + RPC_CREDITS, 0)), 0);
	}
	net_conn_close(c);
	server_settle(0);
}

/* One that never reads and goes on asking runs out of credits, and the server keeps no more than that for it. */
static void never_reads(void **state)
{
	struct net_conn *c = raw_connect(net);
	uint64_t id = 0;
	struct raw m;
	int err;

	do {
		size_t len = raw_request(&m, X2G_STATUS, ++id, 0);

		while ((err = net_send(c, &m, len)) == -EAGAIN)
			net_conn_wait(c, clock_ns() + NS_PER_MS);
		assert_true(id < 100000);
	} while (!err);
	assert_int_equal(err, -EPIPE);
	net_conn_close(c);
	server_settle(0);
	good_client();
}

static void gone_with_requests(void **state)
{
	struct net_conn *c = raw_connect(net), *other = raw_connect(net);
	struct raw m;

	for (uint64_t id = 1; id <= 10; id++)
		end_send(c, id);
	net_conn_close(c);
	server_settle(1);
	assert_int_equal(net_send(other, &m, raw_request(&m, X2G_JOIN, 1, 0)), 0);
	assert_int_equal(raw_reply(other, 1, &m), 0);
	net_conn_close(other);
	server_settle(0);
}

static void closed_by_handler(void **state)
{
	struct net_conn *c = raw_connect(net);
	unsigned closed = closed_count();
	struct raw m;

	for (uint64_t id = 1; id <= 10; id++)
		end_send(c, id);
	/* what follows the closing request is not served any more */
	assert_int_equal(net_send(c, &m, raw_request(&m, X2G_RUN, 11, 0)), 0);
	(void)!net_send(c, &m, raw_request(&m, X2G_BEAT, 12, 0));
	raw_closed(c);
	net_conn_close(c);
	server_settle(0);
	assert_int_equal(closed_count(), closed);
	good_client();
	c = raw_connect(net);
	assert_int_equal(net_send(c, &m, raw_request(&m, X2G_JOIN, 1, 0)), 0);
	assert_int_equal(raw_reply(c, 1, &m), 0);
	net_conn_close(c);
	server_settle(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(up_to_the_limit),    cmocka_unit_test(one_more),
		cmocka_unit_test(slow_reader),	      cmocka_unit_test(never_reads),
		cmocka_unit_test(gone_with_requests), cmocka_unit_test(closed_by_handler),
	};

	return cmocka_run_group_tests(tests, open_net, close_net);
}
