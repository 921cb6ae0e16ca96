/*
 * Clients that lie to the relay, on its own sockets: each is cut off and nothing of it stays, while an honest client
 * beside it is served.
 */
#include "net/relay/wire.h"
#include "relay_rig.h"
#include <sys/un.h>

static struct relay_rig rig;
static uint64_t cuts; /* so many liars the server must have cut off */

struct liar {
	int session, message, data;
	uint32_t conn, region, remote;
};

static int start(void **state)
{
	rig_start("local", &rig);
	rig_connect(&rig);
	return 0;
}

static int end(void **state)
{
	rig_disconnect(&rig);
	rig_stop(&rig);
	return 0;
}

/* One answer; the descriptor it brings, or -1. */
static int answer_take(int session, struct relay_answer *a)
{
	struct pollfd p = { .fd = session, .events = POLLIN };
	int fd = -1;

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(packet_recv(session, a, sizeof(*a), &fd), sizeof(*a));
	return fd;
}

static int ask(struct liar *l, struct relay_ask q, struct relay_answer *a)
{
	assert_int_equal(packet_send(l->session, &q, sizeof(q), -1), 0);
	return answer_take(l->session, a);
}

static int stranger(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *name = strchr(rig.addr, '@') + 1;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path + 1, name, strlen(name));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
			 0);
	return fd;
}

/* With everything that an honest client has; up to then it behaves. */
static struct liar liar_new(void)
{
	struct relay_ask connect = { .op = RELAY_CONNECT, .ms = 1000 };
	struct owner_cmd cmd = { .op = OWNER_ALLOC, .access = NET_READ | NET_WRITE, .arg = 4 * PAGE_BYTES };
	struct liar l = { .session = stranger() };
	struct relay_ask remote = { .op = RELAY_REMOTE, .bytes = 4 * PAGE_BYTES };
	struct pollfd p;
	struct relay_answer a;
	struct owner_ans got;

	assert_int_equal(ask(&l, (struct relay_ask){ .op = RELAY_HELLO, .arg = RELAY_VERSION }, &a), -1);
	assert_int_equal(a.err, 0);
	strcpy(connect.addr, rig.owner.addr);
	l.message = ask(&l, connect, &a);
	assert_true(l.message >= 0);
	remote.id = l.conn = a.id;
	l.data = ask(&l, (struct relay_ask){ .op = RELAY_DATA, .id = l.conn, .arg = NET_DEMAND }, &a);
	assert_true(l.data >= 0);
	close(ask(&l, (struct relay_ask){ .op = RELAY_MR, .bytes = PAGE_BYTES }, &a));
	assert_int_equal(a.err, 0);
	l.region = a.id;
	assert_int_equal(packet_send(l.message, &cmd, sizeof(cmd), -1), 0);
	p = (struct pollfd){ .fd = l.message, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(packet_recv(l.message, &got, sizeof(got), NULL), sizeof(got));
	remote.key = got.key;
	ask(&l, remote, &a);
	assert_int_equal(a.err, 0);
	l.remote = a.id;
	return l;
}

static void honest_is_served(void)
{
	uint8_t out[100] = { 0 }, in[MSG_BYTES_MAX];

	assert_int_equal(net_send(rig.conn, out, sizeof(out)), 0);
	assert_int_equal(recv_within(rig.conn, in, sizeof(in)), sizeof(out));
}

/* The server has ended the session and has nothing of it, because of `breaches` breaches (0: it went by itself). */
static void expect_end(struct liar *l, unsigned breaches)
{
	struct pollfd p = { .fd = l->session, .events = POLLRDHUP };

	cuts += breaches;
	assert_int_equal(poll(&p, 1, 5000), 1);
	rig_expect(&rig, rig.stats->cut == cuts && rig.stats->clients == 1 && rig.stats->connections == 1 &&
				 !rig.stats->regions && !rig.stats->remotes);
	close(l->session);
	if (l->message > 0)
		close(l->message);
	if (l->data > 0)
		close(l->data);
	honest_is_served();
}

static void before_hello(void **state)
{
	static const struct relay_ask first[] = {
		{ .op = RELAY_MR, .bytes = PAGE_BYTES },
		{ .op = RELAY_CONNECT, .addr = "local:@x" },
		{ .op = 0 },
		{ .op = UINT32_MAX },
		{ .op = RELAY_HELLO, .arg = RELAY_VERSION, .reserved0 = 1 },
	};

	for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		struct liar l = { .session = stranger() };

		assert_int_equal(packet_send(l.session, &first[i], sizeof(first[i]), -1), 0);
		expect_end(&l, 1);
	}
}

static void bad_datagrams(void **state)
{
	uint8_t junk[4096];

	for (unsigned i = 0; i < 60; i++) {
		struct liar l = liar_new();
		int to = i % 2 ? l.data : l.session;
		size_t n = 1 + (unsigned)rand() % sizeof(junk);

		for (size_t k = 0; k < n; k++)
			junk[k] = (uint8_t)rand();
		assert_int_equal(packet_send(to, junk, n, -1), 0);
		expect_end(&l, 1);
	}
}

static void descriptors_unasked(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		uint64_t fds = fds_open(rig.pid);
		struct liar l = liar_new();
		struct relay_ask q = { .op = RELAY_MR, .bytes = PAGE_BYTES };
		int to[] = { l.session, l.data, l.message };

		assert_int_equal(packet_send(to[i], &q, sizeof(q), 0), 0);
		expect_end(&l, 1);
		assert_int_equal(fds_open(rig.pid), fds);
	}
}

/* What does not exist, or is another's, is not to be had. */
static void wrong_names(void **state)
{
	static const struct relay_ask wrong[] = {
		{ .op = RELAY_MR_FREE, .id = 77 },     { .op = RELAY_MR_SEAL, .id = 77 },
		{ .op = RELAY_MR_GRANT, .id = 77 },    { .op = RELAY_MR_FREE, .id = UINT32_MAX },
		{ .op = RELAY_REMOTE_CLOSE, .id = 1 }, { .op = RELAY_DATA, .id = 1, .arg = 9 },
		{ .op = RELAY_HELLO, .arg = 1 },
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct liar l = liar_new();

		assert_int_equal(packet_send(l.session, &wrong[i], sizeof(wrong[i]), -1), 0);
		expect_end(&l, 1);
	}
}

/* Mistakes that an honest client may make are answered. */
static void refusals(void **state)
{
	struct relay_ask long_name = { .op = RELAY_CONNECT, .ms = 1000 };
	struct liar l = liar_new();
	struct relay_answer a;

	memset(long_name.addr, 'x', sizeof(long_name.addr));
	ask(&l, long_name, &a);
	assert_int_equal(a.err, -EINVAL);
	ask(&l, (struct relay_ask){ .op = RELAY_DATA, .id = 9999 }, &a);
	assert_int_equal(a.err, -EPIPE);
	ask(&l, (struct relay_ask){ .op = RELAY_REMOTE, .id = l.conn, .bytes = PAGE_BYTES }, &a);
	assert_int_equal(a.err, -EACCES);
	ask(&l, (struct relay_ask){ .op = RELAY_MR, .bytes = 1ULL << 40 }, &a);
	assert_int_equal(a.err, -ENOMEM);
	ask(&l, (struct relay_ask){ .op = RELAY_MR, .bytes = 5 }, &a);
	assert_int_equal(a.err, -ENOMEM);
	ask(&l, (struct relay_ask){ .op = RELAY_DATA_STOP, .id = 9999 }, &a);
	assert_int_equal(a.err, -ENOENT);
	shutdown(l.session, SHUT_RDWR);
	expect_end(&l, 0);
}

static void bad_transfers(void **state)
{
	for (unsigned i = 0; i < 10; i++) {
		struct liar l = liar_new();
		struct relay_io io = { .remote = l.remote, .n = 1, .piece[0] = { l.region, PAGE_BYTES, 0 } };
		size_t len = RELAY_IO_BYTES(1);

		switch (i) {
		case 0:
			io.n = 0;
			break;
		case 1:
			io.n = NET_SGE_MAX + 1;
			break;
		case 2:
			len--;
			break;
		case 3:
			io.write = 2;
			break;
		case 4:
			io.remote += 1000;
			break;
		case 5:
			io.piece[0].region = 1000;
			break;
		case 6:
			io.piece[0].off = 1;
			break;
		case 7:
			io.piece[0].off = UINT64_MAX - 100;
			break;
		case 8:
			io.piece[0].bytes = 0;
			break;
		case 9:
			io.off = UINT64_MAX - 10;
			break;
		}
		assert_int_equal(packet_send(l.data, &io, len, -1), 0);
		expect_end(&l, 1);
	}
}

/* It never takes what it is sent: completions, then messages. */
static void takes_nothing(void **state)
{
	for (unsigned way = 0; way < 2; way++) {
		struct liar l = liar_new();
		struct relay_io io = { .remote = l.remote, .n = 1, .piece[0] = { l.region, PAGE_BYTES, 0 } };
		static uint8_t echo[MSG_BYTES_MAX];
		int err = 0;

		for (unsigned i = 0; i < 1000000 && (!err || err == -EAGAIN); i++)
			err = way ? packet_send(l.message, echo, sizeof(echo), -1)
				  : packet_send(l.data, &io, RELAY_IO_BYTES(1), -1);
		assert_int_equal(err, -EPIPE);
		expect_end(&l, 1);
	}
}

static void frees_what_is_in_use(void **state)
{
	struct liar l = liar_new();
	struct relay_io io = { .remote = l.remote, .n = 1, .piece[0] = { l.region, PAGE_BYTES, 0 } };
	struct relay_ask q = { .op = RELAY_MR_FREE, .id = l.region }, r = { .op = RELAY_REMOTE_CLOSE, .id = l.remote };

	assert_int_equal(packet_send(l.data, &io, RELAY_IO_BYTES(1), -1), 0);
	assert_int_equal(packet_send(l.session, &q, sizeof(q), -1), 0);
	assert_int_equal(packet_send(l.session, &r, sizeof(r), -1), 0);
	usleep(20000);
	shutdown(l.session, SHUT_RDWR);
	close(l.session);
	close(l.message);
	close(l.data);
	rig_expect(&rig, rig.stats->clients == 1 && rig.stats->connections == 1);
	assert_true(rig.stats->cut <= cuts + 1); /* the transfer may have come second */
	honest_is_served();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_hello),
		cmocka_unit_test(bad_datagrams),
		cmocka_unit_test(descriptors_unasked),
		cmocka_unit_test(wrong_names),
		cmocka_unit_test(refusals),
		cmocka_unit_test(bad_transfers),
		cmocka_unit_test(takes_nothing),
		cmocka_unit_test(frees_what_is_in_use),
	};

	log_open("test", LOG_ERROR);
	srand(1);
	return cmocka_run_group_tests(tests, start, end);
}
