/* The relay as honest clients use it, on each fabric that lies behind: messages, transfers, ends of all kinds. */
#include "relay_rig.h"

#define BYTES (256 * PAGE_BYTES) /* many pieces of RELAY_CHUNK */

static const char *fabric;
static struct relay_rig rig;

static int start(void **state)
{
	rig_start(fabric, &rig);
	rig_connect(&rig);
	return 0;
}

static int end(void **state)
{
	rig_disconnect(&rig);
	rig_stop(&rig);
	return 0;
}

static void echo_sizes(void **state)
{
	static uint8_t out[MSG_BYTES_MAX], in[MSG_BYTES_MAX];

	for (size_t n = 64; n <= MSG_BYTES_MAX; n += 1111) {
		memset(out, (int)n, n);
		memset(out, 0, sizeof(struct owner_cmd)); /* OWNER_ECHO */
		assert_int_equal(net_send(rig.conn, out, n), 0);
		assert_int_equal(recv_within(rig.conn, in, sizeof(in)), n);
		assert_memory_equal(in, out, n);
	}
	assert_int_equal(net_send(rig.conn, out, MSG_BYTES_MAX + 1), -EMSGSIZE);
}

/* More than the sockets hold, and less than the server queues: in order, none lost. */
static void flood_in_order(void **state)
{
	struct owner_cmd cmd = { .op = OWNER_FLOOD, .arg = 300, .flags = 3000 };
	uint8_t buf[MSG_BYTES_MAX];
	struct owner_ans a;
	uint32_t seq;

	assert_int_equal(owner_ask(rig.conn, &cmd, &a), 0);
	usleep(50000);
	for (uint32_t i = 0; i < 300; i++) {
		assert_int_equal(recv_within(rig.conn, buf, sizeof(buf)), 3000);
		memcpy(&seq, buf, sizeof(seq));
		assert_int_equal(seq, i);
		assert_int_equal(buf[2999], i & 0xff);
	}
}

static void floor_is_kept(void **state)
{
	struct net_data *data;

	assert_int_equal(net_data_open(rig.conn, NET_DEMAND, &data), 0);
	assert_true(net_conn_fd(rig.conn) >= 300);
	for (int fd = 0; fd < 300; fd++) {
		char path[64], link[64] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, link, sizeof(link) - 1) > 0)
			assert_null(strstr(link, "memfd:"));
	}
	net_data_close(data);
}

static void transfers(void **state)
{
	struct net_remote *r = region_get(rig.conn, BYTES, NET_READ | NET_WRITE, false, NULL);
	struct net_sge s[3], unknown = { .addr = s, .bytes = 8 };
	struct net_data *data;
	struct net_mr *mr;
	uint8_t *p;

	assert_false(net_local_any(rig.net));
	assert_int_equal(net_data_open(rig.conn, NET_BACKGROUND, &data), 0);
	assert_int_equal(net_mr_alloc(rig.pd, 2 * BYTES, true, &mr), 0);
	p = net_mr_addr(mr);
	for (uint32_t i = 0; i < BYTES; i++)
		p[i] = (uint8_t)(i * 7 + i / 4096);
	s[0] = (struct net_sge){ p, BYTES, mr };
	assert_int_equal(net_write_sync(data, r, 0, s, 1, in_ms(20000)), 0);
	/* three pieces out of order: none aligned, borders within pieces of RELAY_CHUNK */
	s[0] = (struct net_sge){ p + BYTES + 100001, BYTES - 100001, mr };
	s[1] = (struct net_sge){ p + BYTES, 70001, mr };
	s[2] = (struct net_sge){ p + BYTES + 70001, 30000, mr };
	assert_int_equal(net_read_sync(data, r, 0, s, 3, in_ms(20000)), 0);
	assert_memory_equal(p + BYTES + 100001, p, BYTES - 100001);
	assert_memory_equal(p + BYTES, p + BYTES - 100001, 70001);
	assert_memory_equal(p + BYTES + 70001, p + BYTES - 30000, 30000);
	/* what the caller may not do is told here */
	assert_int_equal(net_read(data, r, 0, &unknown, 1, 0), -EINVAL);
	s[0] = (struct net_sge){ p + 2 * BYTES - 10, 11, mr };
	assert_int_equal(net_read(data, r, 0, s, 1, 0), -EINVAL);
	s[0] = (struct net_sge){ p, 11, mr };
	assert_int_equal(net_read(data, r, BYTES - 10, s, 1, 0), -ERANGE);
	net_mr_free(mr);
	net_data_close(data);
	net_remote_close(r);
}

/* As many as there are credits, each with its own cookie; one more has to wait. */
static void credits_and_cookies(void **state)
{
	struct net_remote *r = region_get(rig.conn, BYTES, NET_READ | NET_WRITE, false, NULL);
	struct net_completion c;
	struct net_data *data;
	unsigned n = 0, seen = 0;
	struct net_mr *mr;
	struct net_sge s;

	assert_int_equal(net_data_open(rig.conn, NET_DEMAND, &data), 0);
	assert_int_equal(net_mr_alloc(rig.pd, BYTES, true, &mr), 0);
	s = (struct net_sge){ net_mr_addr(mr), PAGE_BYTES, mr };
	while (n < 100 && net_read(data, r, n * PAGE_BYTES, &s, 1, 1000 + n) == 0)
		n++;
	assert_true(n >= 16 && n < 100);
	while (seen < n) {
		assert_int_equal(net_data_wait(data, in_ms(5000)), 0);
		while (net_data_poll(data, &c, 1) == 1) {
			assert_int_equal(c.err, 0);
			assert_true(c.cookie >= 1000 && c.cookie < 1000 + n);
			seen++;
		}
	}
	assert_int_equal(net_data_wait(data, in_ms(10)), -ETIMEDOUT);
	net_mr_free(mr);
	net_data_close(data);
	net_remote_close(r);
}

static void rights(void **state)
{
	uint32_t region;
	struct net_remote *r = region_get(rig.conn, BYTES, NET_READ | NET_WRITE, false, &region);
	struct owner_cmd cmd = { .op = OWNER_SEAL, .region = region };
	struct net_key forged = { { 1, 2, 3, 4 } };
	struct net_remote *none;
	struct owner_ans a;
	struct net_data *data;
	struct net_mr *mr;
	struct net_sge s;

	assert_int_equal(net_data_open(rig.conn, NET_DEMAND, &data), 0);
	assert_int_equal(net_mr_alloc(rig.pd, PAGE_BYTES, true, &mr), 0);
	s = (struct net_sge){ net_mr_addr(mr), PAGE_BYTES, mr };
	assert_int_equal(net_write_sync(data, r, 0, &s, 1, in_ms(5000)), 0);
	assert_int_equal(owner_ask(rig.conn, &cmd, &a), 0);
	assert_int_equal(net_write_sync(data, r, 0, &s, 1, in_ms(5000)), -EACCES);
	assert_int_equal(net_read_sync(data, r, 0, &s, 1, in_ms(5000)), 0);
	assert_int_equal(net_remote_open(rig.conn, &forged, PAGE_BYTES, &none), -EACCES);
	net_mr_free(mr);
	net_data_close(data);
	net_remote_close(r);
}

static void nobody_there(void **state)
{
	struct net_conn *conn;
	char addr[ADDR_BYTES];

	snprintf(addr, sizeof(addr), "%s", strcmp(fabric, "local") ? "ofi:tcp:127.0.0.1:1" : "local:@ashlar-absent");
	assert_true(net_connect(rig.net, addr, 1000, &conn) < 0);
	assert_int_equal(net_connect(rig.net, "nonsense", 1000, &conn), -EINVAL);
	echo_sizes(state);
}

/* A client that dies in the middle of everything leaves nothing at the server. */
static void client_dies(void **state)
{
	struct relay_stats before = *rig.stats;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		struct relay_rig mine = rig;
		struct net_data *data;
		struct net_mr *mr;

		rig_connect(&mine);
		if (net_data_open(mine.conn, NET_DEMAND, &data) || net_mr_alloc(mine.pd, BYTES, true, &mr))
			_exit(1);
		region_get(mine.conn, BYTES, NET_READ | NET_WRITE, false, NULL);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	/* Less: what the test before this one left has been cleared meanwhile. */
	rig_expect(&rig, rig.stats->clients <= before.clients && rig.stats->connections <= before.connections &&
				 rig.stats->regions <= before.regions && rig.stats->remotes <= before.remotes &&
				 rig.stats->region_bytes <= before.region_bytes);
	assert_int_equal(rig.stats->cut, before.cut);
	echo_sizes(state);
}

/*
 * The owner stands still. Where it is needed for a transfer (not on local) that one runs out of time; closing the
 * net_data takes it back: it must not touch the memory when the owner goes on.
 */
static void owner_stands_still(void **state)
{
	struct net_remote *r = region_get(rig.conn, BYTES, NET_READ | NET_WRITE, false, NULL);
	bool needed = strcmp(fabric, "local") != 0;
	struct net_data *data, *other;
	struct net_mr *mr;
	struct net_sge s;

	assert_int_equal(net_data_open(rig.conn, NET_DEMAND, &data), 0);
	assert_int_equal(net_data_open(rig.conn, NET_DEMAND, &other), 0);
	assert_int_equal(net_mr_alloc(rig.pd, 2 * PAGE_BYTES, true, &mr), 0);
	s = (struct net_sge){ net_mr_addr(mr), PAGE_BYTES, mr };
	assert_int_equal(net_read_sync(data, r, 0, &s, 1, in_ms(5000)), 0);
	kill(rig.owner.pid, SIGSTOP);
	assert_int_equal(net_read_sync(data, r, 0, &s, 1, in_ms(needed ? 200 : 5000)), needed ? -ETIMEDOUT : 0);
	s.addr = (char *)net_mr_addr(mr) + PAGE_BYTES;
	assert_int_equal(net_read(other, r, 0, &s, 1, 5), 0);
	net_data_close(data);
	memset(net_mr_addr(mr), 0xaa, PAGE_BYTES);
	kill(rig.owner.pid, SIGCONT);
	assert_int_equal(net_data_wait(other, in_ms(5000)), 0); /* the other one's is not lost with it */
	usleep(100000);
	for (unsigned i = 0; i < PAGE_BYTES; i++)
		assert_int_equal(((uint8_t *)net_mr_addr(mr))[i], 0xaa);
	net_mr_free(mr);
	net_data_close(other);
	net_remote_close(r);
}

/* The owner's end is passed on at once: by the descriptor, and by every transfer. */
static void owner_dies(void **state)
{
	struct net_remote *r = region_get(rig.conn, BYTES, NET_READ, false, NULL);
	struct pollfd p = { .fd = net_conn_fd(rig.conn), .events = POLLRDHUP };
	struct net_data *data;
	struct net_mr *mr;
	struct net_sge s;
	uint8_t buf[64];

	assert_int_equal(net_data_open(rig.conn, NET_DEMAND, &data), 0);
	assert_int_equal(net_mr_alloc(rig.pd, PAGE_BYTES, true, &mr), 0);
	s = (struct net_sge){ net_mr_addr(mr), PAGE_BYTES, mr };
	assert_int_equal(poll(&p, 1, 0), 0);
	kill(rig.owner.pid, SIGKILL);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(net_read_sync(data, r, 0, &s, 1, in_ms(5000)), -EPIPE);
	assert_int_equal(recv_within(rig.conn, buf, sizeof(buf)), -EPIPE);
	assert_true(net_conn_dead(rig.conn));
	net_mr_free(mr);
	net_data_close(data);
	net_remote_close(r);
	rig_expect(&rig, rig.stats->connections == 0 && rig.stats->remotes == 0 && rig.stats->regions == 0);
}

static void relay_dies(void **state)
{
	struct net_remote *r = region_get(rig.conn, BYTES, NET_READ, false, NULL);
	struct pollfd p = { .fd = net_conn_fd(rig.conn), .events = POLLRDHUP };
	struct net_data *data;
	struct net_conn *conn;
	struct net_mr *mr;
	struct net_sge s;

	assert_int_equal(net_data_open(rig.conn, NET_DEMAND, &data), 0);
	assert_int_equal(net_mr_alloc(rig.pd, PAGE_BYTES, true, &mr), 0);
	s = (struct net_sge){ net_mr_addr(mr), PAGE_BYTES, mr };
	kill(rig.pid, SIGKILL);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(net_read_sync(data, r, 0, &s, 1, in_ms(5000)), -EPIPE);
	assert_int_equal(net_connect(rig.net, rig.owner.addr, 1000, &conn), -EPIPE);
	net_mr_free(mr);
	net_data_close(data);
	net_remote_close(r);
}

int main(void)
{
	static const char *const fabrics[] = { "local", "ofi:tcp" };
	const struct CMUnitTest together[] = {
		cmocka_unit_test(echo_sizes),	       cmocka_unit_test(flood_in_order),
		cmocka_unit_test(floor_is_kept),       cmocka_unit_test(transfers),
		cmocka_unit_test(credits_and_cookies), cmocka_unit_test(rights),
		cmocka_unit_test(nobody_there),	       cmocka_unit_test(client_dies),
		cmocka_unit_test(owner_stands_still),  cmocka_unit_test(owner_dies),
	};
	const struct CMUnitTest last[] = { cmocka_unit_test(relay_dies) };
	int failed = 0;

	log_open("test", LOG_ERROR);
	for (unsigned i = 0; i < 2; i++) {
		fabric = fabrics[i];
		print_message("fabric %s\n", fabric);
		failed += cmocka_run_group_tests(together, start, end);
		failed += cmocka_run_group_tests(last, start, end);
	}
	return failed;
}
