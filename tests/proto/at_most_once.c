/*
 * Ids: a request is applied once however often it comes; what is too old is dropped, what is too new is a breach.
 * also: tsan
 */
#include "raw.h"

static struct net *net;
static struct net_conn *c;

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
	c = raw_connect(net);
	return 0;
}

static int each_end(void **state)
{
	net_conn_close(c);
	server_settle(0);
	good_client();
	return 0;
}

static void beat_send(uint64_t id)
{
	struct raw m;

	assert_int_equal(net_send(c, &m, raw_request(&m, X2G_BEAT, id, 0)), 0);
}

/* Send a beat and take its reply: what it counted. */
static uint64_t beat(uint64_t id)
{
	struct x2g_beat_rep rep;
	struct raw m;

	beat_send(id);
	assert_int_equal(raw_reply(c, id, &m), 0);
	memcpy(&rep, m.rest, sizeof(rep));
	return rep.epoch;
}

static void duplicate(void **state)
{
	uint64_t first = beat(1), duplicates = counted(&server.counters.duplicates);

	for (int i = 0; i < 10; i++)
		assert_int_equal(beat(1), first);
	assert_int_equal(beats(), first);
	assert_int_equal(counted(&server.counters.duplicates), duplicates + 10);
	assert_int_equal(beat(2), first + 1);
	assert_int_equal(beat(1), first);
}

static void duplicate_with_tail_and_error(void **state)
{
	struct raw m, again;
	size_t len = raw_request(&m, X2G_STATUS, 1, 0);

	assert_int_equal(net_send(c, &m, len), 0);
	assert_int_equal(net_send(c, &m, len), 0);
	assert_int_equal(raw_reply(c, 1, &m), 0);
	assert_int_equal(m.h.tail_bytes, STATUS_TAIL);
	assert_int_equal(raw_reply(c, 1, &again), 0);
	assert_memory_equal(&m, &again, sizeof(m.h) + m.h.body_bytes + m.h.tail_bytes);
	len = raw_request(&m, P2M_STAT, 2, 0);
	m.h.pid = 42;
	m.h.tid = 43;
	assert_int_equal(net_send(c, &m, len), 0);
	assert_int_equal(net_send(c, &m, len), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(raw_reply(c, 2, &again), -EXDEV);
		assert_int_equal(again.h.pid, 42);
		assert_int_equal(again.h.tid, 43);
	}
}

/* While the first is under way its duplicate is not applied; one reply comes when it is done. */
static void duplicate_of_deferred(void **state)
{
	struct raw m;
	size_t len = raw_request(&m, X2G_END, 1, 0);

	assert_int_equal(net_send(c, &m, len), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(net_send(c, &m, len), 0);
	raw_silent(c, 30);
	assert_int_equal(net_send(c, &m, raw_request(&m, X2G_JOIN, 2, 0)), 0);
	assert_int_equal(raw_reply(c, 1, &m), 0);
	assert_int_equal(raw_reply(c, 2, &m), 0);
	raw_silent(c, 30);
	/* and afterwards it is answered again */
	assert_int_equal(net_send(c, &m, raw_request(&m, X2G_END, 1, 0)), 0);
	assert_int_equal(raw_reply(c, 1, &m), 0);
}

/* The last RPC_CREDITS ids are answered from memory, older ones not at all. */
static void replay_of_old(void **state)
{
	uint64_t first = beats(), duplicates;

	for (uint64_t id = 1; id <= 3 * RPC_CREDITS; id++)
		assert_int_equal(beat(id), first + id);
	duplicates = counted(&server.counters.duplicates);
	for (uint64_t id = 2 * RPC_CREDITS + 1; id <= 3 * RPC_CREDITS; id++)
		assert_int_equal(beat(id), first + id);
	for (uint64_t id = 1; id <= 2 * RPC_CREDITS; id++)
		beat_send(id);
	raw_silent(c, 30);
	assert_int_equal(beats(), first + 3 * RPC_CREDITS);
	assert_int_equal(counted(&server.counters.duplicates), duplicates + 3 * RPC_CREDITS);
	assert_int_equal(beat(3 * RPC_CREDITS + 1), first + 3 * RPC_CREDITS + 1);
}

/* On a fabric that loses and reorders, an id may come late, but once. */
static void out_of_order(void **state)
{
	uint64_t first = beats();

	assert_int_equal(beat(3), first + 1);
	assert_int_equal(beat(1), first + 2);
	assert_int_equal(beat(3), first + 1);
	assert_int_equal(beat(RPC_CREDITS), first + 3);
	assert_int_equal(beat(2), first + 4);
	assert_int_equal(beat(1), first + 2);
	assert_int_equal(beat(RPC_CREDITS + 4), first + 5);
	beat_send(3); /* out of the window now */
	beat_send(4);
	raw_silent(c, 30);
	assert_int_equal(beats(), first + 5);
}

static void from_the_future(void **state)
{
	beat(RPC_CREDITS); /* the furthest that may be */
	beat_send(2 * RPC_CREDITS + 1);
	raw_closed(c);
}

static void last_of_all(void **state)
{
	beat_send(UINT64_MAX);
	raw_closed(c);
}

/* Same id, another message: still the first one's reply, nothing applied. */
static void id_used_twice(void **state)
{
	uint64_t first = beat(1);
	struct raw m;

	assert_int_equal(net_send(c, &m, raw_request(&m, P2M_STAT, 1, 0)), 0);
	assert_int_equal(raw_reply(c, 1, &m), 0);
	assert_int_equal(m.h.msg, X2G_BEAT);
	assert_int_equal(beats(), first);
}

/* Ids are the connection's: another one starts from 1 and is not answered from this one's memory. */
static void another_connection(void **state)
{
	uint64_t first = beat(1);
	struct net_conn *mine = c;

	c = raw_connect(net);
	assert_int_equal(beat(1), first + 1);
	net_conn_close(c);
	c = mine;
	assert_int_equal(beat(1), first);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, each_start, each_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(duplicate),
		t(duplicate_with_tail_and_error),
		t(duplicate_of_deferred),
		t(replay_of_old),
		t(out_of_order),
		t(from_the_future),
		t(last_of_all),
		t(id_used_twice),
		t(another_connection),
	};

	return cmocka_run_group_tests(tests, open_net, close_net);
}
