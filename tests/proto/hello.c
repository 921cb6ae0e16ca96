/* Hellos: the first message in either direction, once, of the same version and list; else refused in words. */
#include <fcntl.h>
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

static void is_refused(const struct raw *m, size_t len)
{
	struct net_conn *c = raw_connect_mute(net);

	assert_int_equal(net_send(c, m, len), 0);
	raw_closed(c);
	net_conn_close(c);
	good_client();
}

static void other_versions(void **state)
{
	struct hello_req hello;
	struct raw m;
	size_t len;

	raw_hello(&m, &len);
	m.h.version = WIRE_VERSION + 1;
	is_refused(&m, len);
	raw_hello(&m, &len);
	memcpy(&hello, m.rest, sizeof(hello));
	hello.lists_hash ^= 1;
	memcpy(m.rest, &hello, sizeof(hello));
	is_refused(&m, len);
}

static void malformed_hellos(void **state)
{
	struct hello_req hello;
	struct raw m;
	size_t len;

	for (unsigned field = 0; field < 9; field++) {
		raw_hello(&m, &len);
		memcpy(&hello, m.rest, sizeof(hello));
		switch (field) {
		case 0:
			m.h.flags = WIRE_REPLY;
			break;
		case 1:
			m.h.err = -1;
			break;
		case 2:
			m.h.req_id = 1;
			break;
		case 3:
			m.h.pid = 1;
			break;
		case 4:
			m.h.body_bytes = 8;
			break;
		case 5:
			m.h.tail_bytes = 8;
			break;
		case 6:
			hello.kind = KIND_NONE;
			break;
		case 7:
			hello.credits = 0;
			break;
		case 8:
			len -= 1;
			break;
		}
		memcpy(m.rest, &hello, sizeof(hello));
		is_refused(&m, len);
	}
}

static void request_first(void **state)
{
	unsigned applied = beats();
	struct raw m;
	size_t len = raw_request(&m, X2G_BEAT, 1, 0);
	struct net_conn *c = raw_connect_mute(net);

	assert_int_equal(net_send(c, &m, len), 0);
	raw_closed(c);
	net_conn_close(c);
	assert_int_equal(beats(), applied);
	good_client();
}

static void second_hello(void **state)
{
	struct raw m;
	size_t len;

	raw_hello(&m, &len);
	for (int before = 0; before < 2; before++) {
		struct net_conn *c = raw_connect(net);
		struct raw beat;

		if (before) {
			assert_int_equal(net_send(c, &beat, raw_request(&beat, X2G_BEAT, 1, 0)), 0);
			assert_int_equal(raw_reply(c, 1, &beat), 0);
		}
		assert_int_equal(net_send(c, &m, len), 0);
		raw_closed(c);
		net_conn_close(c);
	}
	good_client();
}

static void refused_by_service(void **state)
{
	uint64_t refused = counted(&server.counters.refused);
	struct net_conn *c;

	__atomic_store_n(&server.refuse_hello, -EACCES, __ATOMIC_RELAXED);
	c = raw_connect(net);
	raw_closed(c);
	net_conn_close(c);
	server_settle(0);
	assert_int_equal(counted(&server.counters.refused), refused + 1);
	__atomic_store_n(&server.refuse_hello, 0, __ATOMIC_RELAXED);
	good_client();
}

/* The client's side of a refusal: in words, once, and an error of its own. */
static void said_in_words(void **state)
{
	char words[512] = "";
	struct rpc *r;
	int p[2];

	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	log_set_fd(p[1]);
	assert_int_equal(rpc_connect_sync(net, server.addr, KIND_COMMAND, KIND_MEMORY, 1000, &r), -EPROTO);
	log_set_fd(2);
	assert_true(read(p[0], words, sizeof(words) - 1) > 0);
	assert_non_null(strstr(words, "a gmm component, not a memory component"));
	close(p[0]);
	close(p[1]);
}

/* A server that accepts and stays silent. */
static void silent_peer(void **state)
{
	struct net_conn *mute[2] = { raw_connect_mute(net), raw_connect_mute(net) };
	uint64_t before = clock_ns();
	struct rpc *r;

	/* silent clients do not disturb others */
	good_client();
	assert_true(clock_ns() - before < NS_PER_S);
	net_conn_close(mute[0]);
	net_conn_close(mute[1]);
	assert_int_equal(rpc_connect_sync(net, "local:@ashlar-nobody-here", KIND_COMMAND, KIND_NONE, 100, &r),
			 -ECONNREFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_versions), cmocka_unit_test(malformed_hellos),	cmocka_unit_test(request_first),
		cmocka_unit_test(second_hello),	  cmocka_unit_test(refused_by_service), cmocka_unit_test(said_in_words),
		cmocka_unit_test(silent_peer),
	};

	return cmocka_run_group_tests(tests, open_net, close_net);
}
