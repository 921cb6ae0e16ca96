/* Every way in which one message can be wrong: the connection ends, nothing is applied, others are served. */
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

/* Send len bytes of m on a fresh, greeted connection: a breach, and nothing else happens. */
static void is_breach(const struct raw *m, size_t len)
{
	struct net_conn *c = raw_connect(net);
	uint64_t malformed = counted(&server.counters.malformed);
	unsigned applied = beats(), closed = closed_count();

	assert_int_equal(net_send(c, m, len), 0);
	raw_closed(c);
	net_conn_close(c);
	server_settle(0);
	assert_int_equal(beats(), applied);
	assert_int_equal(closed_count(), closed + 1);
	assert_int_equal(counted(&server.counters.malformed), malformed + 1);
	good_client();
}

static void good(void **state)
{
	struct net_conn *c = raw_connect(net);
	struct raw m;

	assert_int_equal(net_send(c, &m, raw_request(&m, X2G_BEAT, 1, 0)), 0);
	assert_int_equal(raw_reply(c, 1, &m), 0);
	assert_int_equal(m.h.body_bytes, sizeof(struct x2g_beat_rep));
	/* an error has no body */
	assert_int_equal(net_send(c, &m, raw_request(&m, P2M_STAT, 2, 0)), 0);
	assert_int_equal(raw_reply(c, 2, &m), -EACCES);
	assert_int_equal(m.h.body_bytes, 0);
	/* the largest tail */
	assert_int_equal(net_send(c, &m, raw_request(&m, P2M_MAP, 3, MAP_BATCH_MAX * 16)), 0);
	assert_int_equal(raw_reply(c, 3, &m), -EINVAL);
	net_conn_close(c);
}

static void truncated(void **state)
{
	struct raw m;
	size_t len = raw_request(&m, X2G_BEAT, 1, 0);

	for (size_t n = 1; n < len; n += n < 44 ? 1 : 7)
		is_breach(&m, n);
}

static void too_long(void **state)
{
	struct raw m;
	size_t len = raw_request(&m, X2G_BEAT, 1, 0);

	is_breach(&m, len + 1);
	is_breach(&m, MSG_BYTES_MAX);
}

static void wrong_header(void **state)
{
	static const uint16_t unknown[] = { 0, 2, 0x0100, 0x01ff, 0x0600, 0x7fff, 0xffff };
	struct raw m;
	size_t len;

	len = raw_request(&m, X2G_BEAT, 1, 0);
	m.h.magic++;
	is_breach(&m, len);
	len = raw_request(&m, X2G_BEAT, 1, 0);
	m.h.version++;
	is_breach(&m, len);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		len = raw_request(&m, X2G_BEAT, 1, 0);
		m.h.msg = unknown[i];
		is_breach(&m, len);
	}
	for (unsigned bit = 1; bit < 32; bit++) {
		len = raw_request(&m, X2G_BEAT, 1, 0);
		m.h.flags = 1u << bit;
		is_breach(&m, len);
	}
	len = raw_request(&m, X2G_BEAT, 1, 0);
	m.h.err = -EIO;
	is_breach(&m, len);
	len = raw_request(&m, X2G_BEAT, 0, 0);
	is_breach(&m, len);
}

static void wrong_sizes(void **state)
{
	static const uint32_t sizes[] = { 0, 8, 15, 17, 24, 0x7fffffff, 0x80000000, 0xffffffff };
	struct raw m;
	size_t len;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		len = raw_request(&m, X2G_BEAT, 1, 0);
		m.h.body_bytes = sizes[i];
		is_breach(&m, len);
		len = raw_request(&m, X2G_BEAT, 1, 0);
		m.h.tail_bytes = sizes[i] | 1;
		is_breach(&m, len);
	}
	/* sizes that add up, and are not the list's */
	len = raw_request(&m, X2G_BEAT, 1, 0);
	m.h.body_bytes = 8;
	m.h.tail_bytes = 8;
	is_breach(&m, len);
	len = raw_request(&m, X2G_BEAT, 1, 8);
	is_breach(&m, len);
	len = raw_request(&m, P2M_MAP, 1, MAP_BATCH_MAX * 16 + 1);
	is_breach(&m, len);
	/* a sum that wraps round */
	len = raw_request(&m, P2M_MAP, 1, 0);
	m.h.tail_bytes = (uint32_t)-8;
	is_breach(&m, len - 8);
}

static void all_the_same(void **state)
{
	struct raw m;

	for (int v = 0; v <= 0xff; v += 0x55) {
		memset(&m, v, sizeof(m));
		is_breach(&m, 1);
		is_breach(&m, sizeof(m.h));
		is_breach(&m, sizeof(m));
	}
}

static void not_served(void **state)
{
	struct raw m;
	size_t len = raw_request(&m, P2S_CLOSE, 1, 0);
	uint64_t refused = counted(&server.counters.refused);

	is_breach(&m, len);
	assert_int_equal(counted(&server.counters.refused), refused + 1);
}

static void replies_to_nothing(void **state)
{
	struct raw m;
	size_t len;

	len = raw_request(&m, X2G_END, 1, 0); /* request and reply have the same size */
	m.h.flags = WIRE_REPLY;
	is_breach(&m, len);
	m.h.req_id = UINT64_MAX;
	is_breach(&m, len);
	m.h.err = 1;
	is_breach(&m, len);
	m.h.err = INT32_MIN;
	is_breach(&m, len);
	m.h.err = -EIO; /* with a body */
	is_breach(&m, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),		cmocka_unit_test(truncated),	      cmocka_unit_test(too_long),
		cmocka_unit_test(wrong_header), cmocka_unit_test(wrong_sizes),	      cmocka_unit_test(all_the_same),
		cmocka_unit_test(not_served),	cmocka_unit_test(replies_to_nothing),
	};

	return cmocka_run_group_tests(tests, open_net, close_net);
}
