/* Messages of every provider: both ways, sizes, ends, addresses, what is left behind. */
#include "net_owner.h"

static const char *provider;
static struct owner owner;

static void unknown_provider(void **state)
{
	struct net_options opt = { 0 };
	struct net *net;

	assert_int_equal(net_open("pigeon", &opt, &net), -ENOENT);
}

static void echo_sizes(void **state)
{
	static uint8_t out[MSG_BYTES_MAX + 1], in[MSG_BYTES_MAX];
	struct net *net = net_for_test(provider, 0);
	struct net_conn *c;

	for (size_t i = 4; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7);
	assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
	for (size_t len = 4; len <= MSG_BYTES_MAX; len = len * 3 / 2 + 1) {
		assert_int_equal(net_send(c, out, len), 0);
		assert_int_equal(recv_within(c, in, sizeof(in)), len);
		assert_memory_equal(in, out, len);
	}
	assert_int_equal(net_send(c, out, MSG_BYTES_MAX), 0);
	assert_int_equal(recv_within(c, in, sizeof(in)), MSG_BYTES_MAX);
	assert_int_equal(net_send(c, out, MSG_BYTES_MAX + 1), -EMSGSIZE);
	assert_int_equal(net_send(c, out, 0), -EMSGSIZE);
	/* A buffer too small for what came: said so, and the connection goes on. */
	assert_int_equal(net_send(c, out, 100), 0);
	assert_int_equal(recv_within(c, in, 50), -EMSGSIZE);
	assert_int_equal(net_send(c, out, 10), 0);
	assert_int_equal(recv_within(c, in, 50), 10);
	net_conn_close(c);
	net_close(net);
}

static void nothing_to_receive(void **state)
{
	struct net *net = net_for_test(provider, 0);
	uint64_t before;
	struct net_conn *c;
	uint8_t in[64];

	assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
	assert_int_equal(net_recv(c, in, sizeof(in)), -EAGAIN);
	before = clock_ns();
	assert_int_equal(net_conn_wait(c, in_ms(30)), -ETIMEDOUT);
	assert_true(clock_ns() - before >= 30 * NS_PER_MS);
	assert_int_equal(net_conn_wait(c, 0), -ETIMEDOUT);
	net_conn_close(c);
	net_close(net);
}

/* More than any buffer holds, with a receiver that begins late: in order, nothing lost. */
static void flood_in_order(void **state)
{
	struct owner_cmd cmd = { .op = OWNER_FLOOD, .flags = 5000, .arg = 1000 };
	struct net *net = net_for_test(provider, 0);
	uint8_t in[MSG_BYTES_MAX];
	struct owner_cmd fds = { .op = OWNER_FDS };
	struct net_conn *c, *other;
	struct owner_ans a;

	assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
	assert_int_equal(net_connect(net, owner.addr, 1000, &other), 0);
	assert_int_equal(owner_ask(c, &cmd, &a), 0);
	for (int i = 0; i < 10; i++) /* it has sent all that goes, and serves others */
		assert_int_equal(owner_ask(other, &fds, &a), 0);
	net_conn_close(other);
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t seq;

		assert_int_equal(recv_within(c, in, sizeof(in)), 5000);
		memcpy(&seq, in, 4);
		assert_int_equal(seq, i);
		assert_int_equal(in[4999], i & 0xff);
	}
	net_conn_close(c);
	net_close(net);
}

/* A peer that does not read: -EAGAIN, not a hang; when it reads again, room again. */
static void full_then_room(void **state)
{
	struct net *net = net_for_test(provider, 0);
	uint8_t out[1000] = { 0 }, in[MSG_BYTES_MAX];
	unsigned sent = 0;
	struct net_conn *c;
	int err;

	assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
	owner_stop(&owner, true);
	while (!(err = net_send(c, out, sizeof(out))))
		sent++;
	assert_int_equal(err, -EAGAIN);
	assert_true(sent >= RPC_CREDITS);
	assert_int_equal(net_conn_wait(c, in_ms(20)), -ETIMEDOUT);
	owner_stop(&owner, false);
	assert_int_equal(net_conn_wait(c, in_ms(5000)), 0);
	for (unsigned i = 0; i < sent; i++)
		assert_int_equal(recv_within(c, in, sizeof(in)), sizeof(out));
	assert_int_equal(net_send(c, out, sizeof(out)), 0);
	assert_int_equal(recv_within(c, in, sizeof(in)), sizeof(out));
	net_conn_close(c);
	net_close(net);
}

static void peer_hangs_up(void **state)
{
	struct owner_cmd cmd = { .op = OWNER_HANG_UP };
	struct net *net = net_for_test(provider, 0);
	uint8_t in[64], text[8] = { 0 };
	struct net_conn *c;

	assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
	/* What was sent before the end is delivered, then the end is told, again and again. */
	assert_int_equal(net_send(c, text, sizeof(text)), 0);
	assert_int_equal(net_send(c, &cmd, sizeof(cmd)), 0);
	assert_int_equal(recv_within(c, in, sizeof(in)), sizeof(text));
	assert_int_equal(recv_within(c, in, sizeof(in)), -EPIPE);
	assert_true(net_conn_dead(c));
	assert_int_equal(net_recv(c, in, sizeof(in)), -EPIPE);
	assert_int_equal(net_send(c, text, sizeof(text)), -EPIPE);
	net_conn_close(c);
	net_close(net);
}

static void killed_by_us(void **state)
{
	struct net *net = net_for_test(provider, 0);
	uint8_t text[8] = { 0 };
	struct net_conn *c;

	assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
	assert_false(net_conn_dead(c));
	net_conn_kill(c);
	net_conn_kill(c);
	assert_true(net_conn_dead(c));
	assert_int_equal(net_send(c, text, sizeof(text)), -EPIPE);
	assert_int_equal(recv_within(c, text, sizeof(text)), -EPIPE);
	net_conn_close(c);
	net_close(net);
}

static void bad_addresses(void **state)
{
	static const char *const bad[] = { "", ":", "/x", "nothing:/x", "relative/path" };
	struct net *net = net_for_test(provider, 0);
	uint64_t before = fds_open(getpid());
	struct net_conn *c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(net_connect(net, bad[i], 100, &c), -EINVAL);
	assert_int_equal(fds_open(getpid()), before);
	net_close(net);
}

static void counts_and_peer(void **state)
{
	struct net *net = net_for_test(provider, 0);
	const struct net_stats *st = net_stats(net);
	struct net_peer peer;
	struct net_conn *c;
	uint8_t buf[64];

	assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
	assert_int_equal(strcspn(provider, "+"), strlen(net_fabric_name(net)));
	assert_memory_equal(net_fabric_name(net), provider, strcspn(provider, "+"));
	net_conn_peer(c, &peer);
	if (peer.known) {
		assert_int_equal(peer.uid, getuid());
		assert_int_equal(peer.host_pid, owner.pid);
	}
	memset(buf, 0, sizeof(buf));
	for (int i = 0; i < 10; i++) {
		assert_int_equal(net_send(c, buf, sizeof(buf)), 0);
		assert_int_equal(recv_within(c, buf, sizeof(buf)), sizeof(buf));
	}
	assert_int_equal(st->msgs_tx, 10);
	assert_int_equal(st->msgs_rx, 10);
	net_conn_close(c);
	net_close(net);
}

static void nothing_left(void **state)
{
	struct owner_cmd cmd = { .op = OWNER_FDS };
	struct net *net = net_for_test(provider, 0);
	uint64_t here = fds_open(getpid()), there;
	struct net_conn *c, *first;
	struct owner_ans a;

	assert_int_equal(net_connect(net, owner.addr, 1000, &first), 0);
	assert_int_equal(owner_ask(first, &cmd, &a), 0);
	there = a.value;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
		if (i % 2)
			assert_int_equal(owner_ask(c, &cmd, &a), 0);
		net_conn_close(c);
	}
	assert_int_equal(owner_ask(first, &cmd, &a), 0);
	for (int i = 0; i < 10000 && a.value != there; i++) {
		usleep(1000);
		assert_int_equal(owner_ask(first, &cmd, &a), 0);
	}
	assert_int_equal(a.value, there);
	net_conn_close(first);
	assert_int_equal(fds_open(getpid()), here);
	net_close(net);
}

static int start(void **state)
{
	owner_start(provider, &owner);
	return 0;
}

static int end(void **state)
{
	owner_end(&owner);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_provider),   cmocka_unit_test(echo_sizes),
		cmocka_unit_test(nothing_to_receive), cmocka_unit_test(flood_in_order),
		cmocka_unit_test(full_then_room),     cmocka_unit_test(peer_hangs_up),
		cmocka_unit_test(killed_by_us),	      cmocka_unit_test(bad_addresses),
		cmocka_unit_test(counts_and_peer),    cmocka_unit_test(nothing_left),
	};
	int failed = 0;

	for (size_t i = 0; (provider = fabric_tested(i)); i++)
		failed += cmocka_run_group_tests_name(provider, tests, start, end);
	provider = "sim";
	if (!fabric_chosen())
		failed += sim_group_run(tests, sizeof(tests) / sizeof(tests[0]), start, end);
	return failed;
}
