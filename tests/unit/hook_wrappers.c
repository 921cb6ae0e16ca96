/*
 * Wrappers that do something, over `local`: what they hold is held at least as long as asked and in order, what they fail
 * fails as told and nothing else does, what they trace is all there. (That they pass on whatever they do not touch is
 * shown by the tests of every fabric, net_*.c.)
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include "net_owner.h"

static struct owner owner;

static int start(void **state)
{
	owner_start("local", &owner);
	return 0;
}

static int end(void **state)
{
	owner_end(&owner);
	return 0;
}

/* A process of ours in front of the owner: net, connection, region. */
struct rig {
	struct net *net;
	struct net_conn *c;
	struct net_data *d;
	struct net_remote *r;
};

static void rig_open(struct rig *g, const char *hook)
{
	struct net_options opt = { .hook = hook };

	assert_int_equal(net_open("local", &opt, &g->net), 0);
	assert_int_equal(net_connect(g->net, owner.addr, 1000, &g->c), 0);
	assert_int_equal(net_data_open(g->c, NET_DEMAND, &g->d), 0);
	g->r = region_get(g->c, 256 * PAGE_BYTES, NET_READ | NET_WRITE, false, NULL);
}

static void rig_close(struct rig *g)
{
	net_remote_close(g->r);
	net_data_close(g->d);
	net_conn_close(g->c);
	net_close(g->net);
}

static int post_read(struct rig *g, void *buf, uint32_t bytes, uint64_t cookie)
{
	struct net_sge s = { .addr = buf, .bytes = bytes };

	return net_read(g->d, g->r, 0, &s, 1, cookie);
}

/* ---- emulate ---- */

static void latency(void **state)
{
	uint8_t buf[PAGE_BYTES] = { 0 };
	struct rig g;

	rig_open(&g, "emulate:latency=3ms");
	for (int i = 0; i < 3; i++) {
		uint64_t before = clock_ns();
		struct net_completion c;

		buf[0] = (uint8_t)i;
		assert_int_equal(write_one(g.d, g.r, 0, buf, sizeof(buf)), 0);
		assert_true(clock_ns() - before >= 3 * NS_PER_MS);
		before = clock_ns();
		assert_int_equal(post_read(&g, buf, sizeof(buf), 77), 0);
		assert_int_equal(net_data_poll(g.d, &c, 1), 0);
		assert_int_equal(net_data_wait(g.d, clock_ns()), -ETIMEDOUT);
		while (!net_data_poll(g.d, &c, 1))
			;
		assert_true(clock_ns() - before >= 3 * NS_PER_MS);
		assert_int_equal(c.cookie, 77);
		assert_int_equal(c.err, 0);
		assert_int_equal(buf[0], i);
	}
	/* An answer: half of it, as the owner is not wrapped. */
	for (int i = 0; i < 3; i++) {
		uint64_t before = clock_ns();

		assert_int_equal(net_send(g.c, "abcd", 4), 0);
		assert_int_equal(recv_within(g.c, buf, sizeof(buf)), 4);
		assert_true(clock_ns() - before >= 3 * NS_PER_MS / 2);
	}
	rig_close(&g);
}

/* Transfers one after the other over one link: their sum takes at least its time; threads share it. */
static void *reads_32(void *arg)
{
	static _Thread_local uint8_t buf[32 * PAGE_BYTES];
	struct rig *g = arg;
	struct net_data *d;

	assert_int_equal(net_data_open(g->c, NET_BACKGROUND, &d), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(read_one(d, g->r, 0, buf, sizeof(buf)), 0);
	net_data_close(d);
	return NULL;
}

static void bandwidth(void **state)
{
	uint64_t before;
	pthread_t t[3];
	struct rig g;

	rig_open(&g, "emulate:bandwidth=1G");
	before = clock_ns();
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&t[i], NULL, reads_32, &g), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	/* 30 transfers of 128 KB are 31 ms at 1 Gb/s. */
	assert_true(clock_ns() - before >= 31 * NS_PER_MS);
	rig_close(&g);
}

/* Lost is late: by 20 ms here, and what is behind it waits. The same seed loses the same. */
static unsigned late_of(const char *hook, uint32_t *which)
{
	uint8_t buf[64];
	unsigned late = 0;
	struct rig g;

	*which = 0;
	rig_open(&g, hook);
	for (int i = 0; i < 32; i++) {
		uint64_t before = clock_ns();

		assert_int_equal(read_one(g.d, g.r, 0, buf, sizeof(buf)), 0);
		if (clock_ns() - before >= 20 * NS_PER_MS) {
			late++;
			*which |= 1u << i;
		}
	}
	rig_close(&g);
	return late;
}

static void loss(void **state)
{
	uint32_t a, b, none;

	assert_int_equal(late_of("emulate:loss=0", &none), 0);
	assert_true(late_of("emulate:loss=0.3,retransmit=20ms,seed=5", &a) >= 3);
	assert_true(late_of("emulate:loss=0.3,retransmit=20ms,seed=5", &b) >= 3);
	assert_int_equal(a & b, a); /* a busy machine may make others late as well */
}

static void order_kept(void **state)
{
	uint8_t in[MSG_BYTES_MAX];
	struct net_completion c;
	unsigned sent = 0;
	struct rig g;

	rig_open(&g, "emulate:latency=20us,jitter=20us,loss=0.2,retransmit=100us");
	for (uint32_t i = 0; i < 60; i++) {
		uint32_t m[2] = { i, ~i };

		assert_int_equal(net_send(g.c, m, sizeof(m)), 0);
	}
	for (uint32_t i = 0; i < 60; i++) {
		assert_int_equal(recv_within(g.c, in, sizeof(in)), 8);
		assert_int_equal(((uint32_t *)in)[0], i);
	}
	/* As many transfers as the queue takes, then -EAGAIN, then all of them in order. */
	while (post_read(&g, in, 8, 1000 + sent) == 0)
		sent++;
	assert_int_equal(post_read(&g, in, 8, 0), -EAGAIN);
	assert_true(sent >= 64);
	for (unsigned i = 0; i < sent; i++) {
		while (!net_data_poll(g.d, &c, 1))
			assert_int_equal(net_data_wait(g.d, in_ms(5000)), 0);
		assert_int_equal(c.cookie, 1000 + i);
	}
	assert_int_equal(net_data_poll(g.d, &c, 1), 0);
	rig_close(&g);
}

/* What is held when the connection dies is not handed out as good, and the wait for it ends. */
static void death_while_held(void **state)
{
	struct net_completion c;
	uint8_t buf[64];
	struct rig g;

	rig_open(&g, "emulate:latency=50ms");
	assert_int_equal(post_read(&g, buf, sizeof(buf), 1), 0);
	net_conn_kill(g.c);
	assert_int_equal(net_data_wait(g.d, in_ms(5000)), 0);
	assert_int_equal(net_data_poll(g.d, &c, 1), 1);
	assert_int_equal(c.err, -EPIPE);
	rig_close(&g);
}

/* With a loop: held messages come by timer, in order, the end of the connection behind the last of them. */
static struct loop *loop;
static struct net_conn *loop_conn;
static unsigned came, ended;

static void loop_message(void *arg, const void *buf, size_t len)
{
	assert_int_equal(((const uint32_t *)buf)[0], came);
	assert_false(ended);
	came++;
}

static void loop_closed(void *arg, int err)
{
	ended++;
	net_conn_close(loop_conn);
	loop_stop(loop);
}

static void loop_writable(void *arg)
{
}

static void with_loop(const char *hook, unsigned n)
{
	static const struct net_conn_events events = { loop_message, loop_closed, loop_writable };
	struct owner_cmd bye = { .op = OWNER_HANG_UP };
	struct net_options opt = { .hook = hook };
	struct net *net;

	came = ended = 0;
	assert_int_equal(loop_open(&loop), 0);
	opt.loop = loop;
	assert_int_equal(net_open("local", &opt, &net), 0);
	assert_int_equal(net_connect(net, owner.addr, 1000, &loop_conn), 0);
	assert_int_equal(net_conn_set_events(loop_conn, &events, NULL), 0);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(net_send(loop_conn, &i, sizeof(i)), 0);
	assert_int_equal(net_send(loop_conn, &bye, sizeof(bye)), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(came, n);
	assert_int_equal(ended, 1);
	net_close(net);
	loop_close(loop);
}

static void loop_use(void **state)
{
	uint64_t before = clock_ns();

	with_loop("emulate:latency=20ms", 50);
	assert_true(clock_ns() - before >= 10 * NS_PER_MS);
	with_loop("emulate:latency=5us,jitter=5us,bandwidth=1G,loss=0.1", 200);
	with_loop("emulate", 200);
}

/* Transfers with a loop: their completions are told when they are due. */
static struct rig told;
static unsigned taken;

static void told_ready(void *arg)
{
	struct net_completion c;

	while (net_data_poll(told.d, &c, 1)) {
		assert_int_equal(c.cookie, taken);
		assert_int_equal(c.err, 0);
		taken++;
	}
	if (taken == 20)
		loop_stop(loop);
}

static void told_message(void *arg, const void *buf, size_t len)
{
	static uint8_t page[64];
	const struct owner_ans *a = buf;

	assert_int_equal(len, sizeof(*a));
	assert_int_equal(net_remote_open(told.c, &a->key, PAGE_BYTES, &told.r), 0);
	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal(post_read(&told, page, sizeof(page), i), 0);
	told_ready(NULL);
}

static void loop_transfers(void **state)
{
	static const struct net_conn_events events = { told_message, loop_closed, loop_writable };
	struct owner_cmd cmd = { .op = OWNER_ALLOC, .access = NET_READ, .arg = PAGE_BYTES };
	struct net_options opt = { .hook = "emulate:latency=5ms" };
	uint64_t before = clock_ns();

	assert_int_equal(loop_open(&loop), 0);
	opt.loop = loop;
	assert_int_equal(net_open("local", &opt, &told.net), 0);
	assert_int_equal(net_connect(told.net, owner.addr, 1000, &told.c), 0);
	assert_int_equal(net_conn_set_events(told.c, &events, NULL), 0);
	assert_int_equal(net_data_open(told.c, NET_DEMAND, &told.d), 0);
	assert_int_equal(net_data_set_events(told.d, told_ready, NULL), 0);
	assert_int_equal(net_send(told.c, &cmd, sizeof(cmd)), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(taken, 20);
	assert_true(clock_ns() - before >= 5 * NS_PER_MS);
	rig_close(&told);
	loop_close(loop);
}

/* ---- error ---- */

static void nth_read(void **state)
{
	uint8_t buf[64];
	struct rig g;

	rig_open(&g, "error:op=read,nth=3,do=EIO;error:op=write,every=2,do=EACCES");
	for (int i = 1; i <= 6; i++) {
		assert_int_equal(read_one(g.d, g.r, 0, buf, sizeof(buf)), i == 3 ? -EIO : 0);
		assert_int_equal(write_one(g.d, g.r, 0, buf, sizeof(buf)), i % 2 ? 0 : -EACCES);
	}
	assert_int_equal(net_stats(g.net)->failures, 4);
	rig_close(&g);
}

/* A failed write has not been made. */
static void failed_is_not_done(void **state)
{
	uint8_t a[64], b[64];
	struct rig g;

	rig_open(&g, "error:op=write,nth=2,do=EIO");
	memset(a, 1, sizeof(a));
	assert_int_equal(write_one(g.d, g.r, 0, a, sizeof(a)), 0);
	memset(b, 2, sizeof(b));
	assert_int_equal(write_one(g.d, g.r, 0, b, sizeof(b)), -EIO);
	assert_int_equal(read_one(g.d, g.r, 0, b, sizeof(b)), 0);
	assert_memory_equal(a, b, sizeof(a));
	rig_close(&g);
}

static unsigned failed_of(const char *hook, uint64_t *which)
{
	uint8_t buf[64];
	unsigned failed = 0;
	struct rig g;

	*which = 0;
	rig_open(&g, hook);
	for (int i = 0; i < 64; i++)
		if (read_one(g.d, g.r, 0, buf, sizeof(buf))) {
			failed++;
			*which |= 1ULL << i;
		}
	rig_close(&g);
	return failed;
}

static void by_chance(void **state)
{
	uint64_t a, b, c;
	unsigned n = failed_of("error:op=read,p=0.3,do=EIO,seed=1", &a);

	assert_in_range(n, 5, 40);
	failed_of("error:op=read,p=0.3,do=EIO,seed=1", &b);
	failed_of("error:op=read,p=0.3,do=EIO,seed=2", &c);
	assert_int_equal(a, b);
	assert_int_not_equal(a, c);
	assert_int_equal(failed_of("error:op=read,p=1,do=EIO", &a), 64);
}

static void connect_and_send(void **state)
{
	struct net_options opt = { .hook = "error:op=connect,nth=1,do=ECONNREFUSED;error:op=send,nth=2,do=ENOMEM" };
	uint8_t buf[64] = { 0 };
	struct net_conn *c;
	struct net *net;

	assert_int_equal(net_open("local", &opt, &net), 0);
	assert_int_equal(net_connect(net, owner.addr, 1000, &c), -ECONNREFUSED);
	assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
	assert_int_equal(net_send(c, buf, 8), 0);
	assert_int_equal(net_send(c, buf, 8), -ENOMEM);
	assert_int_equal(net_send(c, buf, 8), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(recv_within(c, buf, sizeof(buf)), 8);
	net_conn_close(c);
	net_close(net);
}

static void cuts(void **state)
{
	uint8_t buf[64] = { 0 };
	struct rig g;

	rig_open(&g, "error:op=read,nth=5,do=cut");
	for (int i = 1; i <= 4; i++)
		assert_int_equal(read_one(g.d, g.r, 0, buf, sizeof(buf)), 0);
	assert_int_equal(read_one(g.d, g.r, 0, buf, sizeof(buf)), -EPIPE);
	assert_true(net_conn_dead(g.c));
	assert_int_equal(read_one(g.d, g.r, 0, buf, sizeof(buf)), -EPIPE);
	rig_close(&g);
	rig_open(&g, "error:op=send,nth=3,do=cut"); /* the first is rig_open's own */
	assert_int_equal(net_send(g.c, buf, 8), 0);
	assert_int_equal(recv_within(g.c, buf, sizeof(buf)), 8);
	assert_int_equal(net_send(g.c, buf, 8), -EPIPE);
	assert_int_equal(recv_within(g.c, buf, sizeof(buf)), -EPIPE);
	/* A cut after the connection was closed finds nothing to cut. */
	rig_close(&g);
	rig_open(&g, "error:op=read,nth=1,do=cut");
	net_conn_close(g.c);
	assert_int_equal(read_one(g.d, g.r, 0, buf, sizeof(buf)), -EPIPE);
	net_remote_close(g.r);
	net_data_close(g.d);
	net_close(g.net);
}

/* ---- trace ---- */

static char text[1 << 20];

static void trace_read(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	assert_true(n >= 0);
	text[n] = 0;
	close(fd);
}

static unsigned lines_with(const char *words)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, words)); p++)
		n++;
	return n;
}

static void trace(void **state)
{
	char path[] = "/tmp/ashlar-trace-XXXXXX", hook[HOOK_BYTES];
	uint8_t buf[PAGE_BYTES] = { 0 };
	struct stat st;
	struct rig g;

	close(mkstemp(path));
	unlink(path);
	snprintf(hook, sizeof(hook), "trace:file=%s;error:op=read,nth=2,do=EIO", path);
	rig_open(&g, hook);
	for (int i = 0; i < 3; i++)
		(void)!read_one(g.d, g.r, 4096, buf, 512);
	assert_int_equal(write_one(g.d, g.r, 8192, buf, 4096), 0);
	assert_int_equal(net_send(g.c, buf, 200), 0);
	assert_int_equal(recv_within(g.c, buf, sizeof(buf)), 200);
	rig_close(&g);
	trace_read(path);
	assert_int_equal(lines_with(" conn 1 connect local:"), 1);
	assert_int_equal(lines_with(" conn 1 read remote 1 at 4096 512 class 0 0, "), 2);
	assert_int_equal(lines_with(" conn 1 read remote 1 at 4096 512 class 0 -5, "), 1);
	assert_int_equal(lines_with(" conn 1 write remote 1 at 8192 4096 class 0 0, "), 1);
	assert_int_equal(lines_with(" conn 1 take remote 1 of 1048576 key "), 1);
	assert_int_equal(lines_with(" conn 1 send 0 200 "), 1);
	assert_int_equal(lines_with(" conn 1 recv 200 "), 1);
	assert_int_equal(lines_with(" conn 1 close\n"), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0); /* it names keys */
	unlink(path);
}

/* Bounded: so many lines a second, so many bytes. What is left out is told. */
static void trace_bounds(void **state)
{
	char path[] = "/tmp/ashlar-trace-XXXXXX", hook[HOOK_BYTES];
	unsigned lines, out = 0;
	uint8_t buf[8];
	struct rig g;

	close(mkstemp(path));
	snprintf(hook, sizeof(hook), "trace:file=%s,rate=10", path);
	rig_open(&g, hook);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(read_one(g.d, g.r, 0, buf, 8), 0);
	rig_close(&g);
	trace_read(path);
	for (const char *p = text; (p = strstr(p, "lines left out")); p++) {
		const char *begin = p;

		while (begin > text && begin[-1] != '\n')
			begin--;
		out += (unsigned)strtoul(begin, NULL, 10);
	}
	lines = lines_with("\n") - lines_with("lines left out");
	/* connect, take, a request and its answer, 1000 reads, close */
	assert_int_equal(lines + out, 1005);
	assert_true(out > 0);
	assert_int_equal(truncate(path, 0), 0);
	snprintf(hook, sizeof(hook), "trace:file=%s,size=2K", path);
	rig_open(&g, hook);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(read_one(g.d, g.r, 0, buf, 8), 0);
	rig_close(&g);
	trace_read(path);
	assert_true(strlen(text) < 2048 + 32);
	assert_int_equal(lines_with("size= is reached\n"), 1);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(latency),
		cmocka_unit_test(bandwidth),
		cmocka_unit_test(loss),
		cmocka_unit_test(order_kept),
		cmocka_unit_test(death_while_held),
		cmocka_unit_test(loop_use),
		cmocka_unit_test(loop_transfers),
		cmocka_unit_test(nth_read),
		cmocka_unit_test(failed_is_not_done),
		cmocka_unit_test(by_chance),
		cmocka_unit_test(connect_and_send),
		cmocka_unit_test(cuts),
		cmocka_unit_test(trace),
		cmocka_unit_test(trace_bounds),
	};

	return cmocka_run_group_tests(tests, start, end);
}
