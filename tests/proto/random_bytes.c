/*
 * 10,000 rounds of random bytes and of good messages with random damage, fixed seed: the server goes on serving, and
 * neither its descriptors nor its memory grow.
 */
#include "raw.h"

#define ROUNDS 10000
#define SEED 0x61736872u

static uint64_t rng = SEED;

static uint64_t rand_next(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static size_t make(struct raw *m)
{
	size_t len;

	if (rand_next() % 4 == 0) { /* nothing but noise */
		len = 1 + rand_next() % sizeof(*m);
		for (size_t i = 0; i < len; i++)
			((uint8_t *)m)[i] = (uint8_t)rand_next();
		return len;
	}
	/* Not the requests that the test server keeps, or closes itself by. */
	len = raw_request(m, rand_next() % 2 ? X2G_BEAT : P2M_MAP, 1 + rand_next() % 70, 0);
	for (unsigned n = (unsigned)(rand_next() % 4); n; n--)
		((uint8_t *)m)[rand_next() % len] ^= (uint8_t)(1u << rand_next() % 8);
	if (m->h.msg == X2G_END || m->h.msg == X2G_RUN)
		m->h.msg = X2G_BEAT;
	return rand_next() % 8 ? len : 1 + rand_next() % len;
}

static void rounds(struct net *net, unsigned n)
{
	struct net_conn *c = raw_connect(net);
	struct raw m;

	for (unsigned i = 0; i < n; i++) {
		size_t len = make(&m);
		bool whole = rand_next() % 4 == 0;

		/* on a mute connection now and then: noise instead of a hello */
		if (net_conn_dead(c) || net_send(c, &m, len) || whole) {
			net_conn_close(c);
			c = whole ? raw_connect_mute(net) : raw_connect(net);
		}
		while (net_recv(c, &m, sizeof(m)) > 0)
			;
		if (i % 100 == 0)
			good_client();
	}
	net_conn_close(c);
	server_settle(0);
}

static void random_bytes(void **state)
{
	struct net *net = raw_net();
	unsigned fds;
	size_t memory;

	rounds(net, 500);
	fds = fds_open();
	memory = memory_used();
	rounds(net, ROUNDS);
	assert_int_equal(fds_open(), fds);
	assert_true(memory_used() <= memory + 65536);
	assert_true(counted(&server.counters.malformed) > 100);
	assert_true(counted(&server.counters.requests[IDX_X2G_BEAT]) > 100);
	net_close(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, server_start, server_end);
}
