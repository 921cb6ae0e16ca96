/*
 * Provider `ofi` where it differs: names, what loading libfabric leaves behind, strangers on its port, peers that break
 * its frames, lanes with wrong tokens, transfers that the owner refuses on the wire, and that nobody is woken when idle.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include "net/ofi/ofi.h"
#include "net_owner.h"

#define BYTES (16 * PAGE_BYTES)
#define STRANGERS 40
#define WIRE_VERSION 3 /* of libfabric 1.17's tcp */
#define WIRE_CONNREQ 0
#define WIRE_NACK 6

static const char *const fabrics[] = { "ofi:tcp", "ofi:net" };
static const char *provider;
static struct owner owner;
static struct net *net;
static struct net_conn *conn;
static struct net_data *data;

static int start(void **state)
{
	owner_start(provider, &owner);
	net = net_for_test(provider, 0);
	return 0;
}

static int end(void **state)
{
	net_close(net);
	owner_end(&owner);
	return 0;
}

static void client_open(void)
{
	assert_int_equal(net_connect(net, owner.addr, 1000, &conn), 0);
	assert_int_equal(net_data_open(conn, NET_DEMAND, &data), 0);
}

static void client_close(void)
{
	net_data_close(data);
	net_conn_close(conn);
}

static int tell(enum owner_op op, uint32_t region, uint64_t *value)
{
	struct owner_cmd cmd = { .op = op, .region = region };
	struct owner_ans a;
	int err = owner_ask(conn, &cmd, &a);

	if (value)
		*value = a.value;
	return err;
}

static uint64_t owner_fds(void)
{
	struct owner_cmd cmd = { .op = OWNER_FDS };
	struct owner_ans a;
	struct net_conn *c;

	assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
	assert_int_equal(owner_ask(c, &cmd, &a), 0);
	net_conn_close(c);
	return a.value;
}

/* The descriptors of what has ended go as soon as the owner has heard of it. */
static void owner_fds_back_to(uint64_t before)
{
	for (unsigned i = 0; i < 100 && owner_fds() > before; i++)
		usleep(10000);
	assert_true(owner_fds() <= before);
}

/* Must be the first test: libfabric is loaded here. */
static void signals_stay(void **state)
{
	struct sigaction before[32], after;
	struct net_options opt = { 0 };
	struct net *n;

	for (int s = 1; s < 32; s++)
		assert_int_equal(sigaction(s, NULL, &before[s]), 0);
	assert_int_equal(net_open("ofi", &opt, &n), 0);
	assert_string_equal(net_fabric_name(n), "ofi");
	for (int s = 1; s < 32; s++) {
		assert_int_equal(sigaction(s, NULL, &after), 0);
		assert_ptr_equal(after.sa_handler, before[s].sa_handler);
	}
	net_close(n);
}

static void names(void **state)
{
	static const char *const unknown[] = { "ofi:pigeon", "ofi:verbs", "ofi:tcp2" };
	static const char *const wrong[] = { "ofi:tcp:x", "ofi:tcp;ofi_rxm", "ofi:^tcp", "ofi:a,b" };
	struct net_options opt = { 0 };
	struct net *n;

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_int_equal(net_open(unknown[i], &opt, &n), -ENODEV);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(net_open(wrong[i], &opt, &n), -EINVAL);
}

static void addresses(void **state)
{
	static const char *const bad[] = { "",	   "1.2.3.4", "1.2.3.4:0",    "1.2.3.4:65536", "1.2.3.4:x",
					   ":100", "::1:100", "[::1]",	      "[::1:100",      "[]:100",
					   "auto", "auto:",   "1.2.3.4:auto", "1.2.3.4:-1" };
	char addr[2 * ADDR_BYTES];
	struct net_conn *c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(addr, sizeof(addr), "%s:%s", provider, bad[i]);
		assert_int_equal(net_connect(net, addr, 100, &c), -EINVAL);
	}
	assert_int_equal(net_connect(net, "ofi:other:127.0.0.1:100", 100, &c), -EINVAL);
	snprintf(addr, sizeof(addr), "%s:%0120d:1", provider, 1);
	assert_int_equal(net_connect(net, addr, 100, &c), -EINVAL);
}

/* ---- strangers ---- */

struct wire_request {
	uint8_t version, type;
	uint16_t bytes; /* network order */
	uint32_t number;
	uint64_t ids[2], data;
	struct ofi_hello hello;
};

static int raw_socket(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval tv = { .tv_sec = 5 };

	sa.sin_port = htons((uint16_t)atoi(strrchr(owner.addr, ':') + 1));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	return fd;
}

/* What asks in a wrong way is told no, or hears nothing, but is not let in. */
static void is_refused(const struct wire_request *r, size_t len)
{
	struct wire_request answer;
	int s = raw_socket();
	ssize_t n;

	assert_int_equal(send(s, r, len, MSG_NOSIGNAL), len);
	n = recv(s, &answer, sizeof(answer), 0);
	assert_true(n <= 0 || answer.type == WIRE_NACK);
	close(s);
}

static void strangers(void **state)
{
	struct wire_request r = { .version = WIRE_VERSION, .type = WIRE_CONNREQ, .data = 1 }, good;
	uint64_t before = owner_fds();
	int idle[STRANGERS];

	r.bytes = htons(sizeof(r.hello));
	r.hello = (struct ofi_hello){ .magic = OFI_MAGIC, .version = OFI_VERSION, .kind = OFI_HELLO_CONN };
	good = r;
	for (int i = 0; i < STRANGERS; i++) {
		idle[i] = raw_socket();
		if (i % 2)
			assert_int_equal(send(idle[i], &r, 3, MSG_NOSIGNAL), 3);
	}
	assert_true(owner_fds() > 0); /* others are served meanwhile */
	is_refused(&r, 8);
	r.hello.magic++;
	is_refused(&r, sizeof(r));
	r = good;
	r.hello.version++;
	is_refused(&r, sizeof(r));
	for (unsigned kind = 0; kind < 6; kind++) {
		r = good;
		r.hello.kind = (uint16_t)kind;
		r.hello.token[0] = 0x1234;
		if (kind != OFI_HELLO_CONN)
			is_refused(&r, sizeof(r));
	}
	r = good;
	r.bytes = htons(sizeof(r.hello) - 8);
	is_refused(&r, sizeof(r) - 8);
	r.bytes = 0;
	is_refused(&r, sizeof(r) - sizeof(r.hello));
	memset(&r, 0xff, sizeof(r));
	is_refused(&r, sizeof(r));
	for (int i = 0; i < STRANGERS; i++)
		close(idle[i]);
	owner_fds_back_to(before);
}

/* ---- frames ---- */

static void frame_send(const void *buf, size_t len)
{
	struct ofi_conn *c = ofi_conn(conn);
	struct ofi_tx *t = malloc(sizeof(*t) + len);

	t->len = (uint32_t)len;
	memcpy(t->data, buf, len);
	list_add_tail(&c->tx_flight, &t->link);
	assert_int_equal(fi_send(c->ep, t->data, len, NULL, 0, t), 0);
}

static void is_breach(const void *buf, size_t len)
{
	uint8_t in[64];

	client_open();
	frame_send(buf, len);
	assert_int_equal(recv_within(conn, in, sizeof(in)), -EPIPE);
	client_close();
}

static void frames(void **state)
{
	struct {
		struct ofi_frame f;
		union {
			struct net_key_body key;
			struct net_closed_body closed;
			uint8_t bytes[MSG_BYTES_MAX + 8];
		} u;
	} m;
	uint64_t before = owner_fds();

	memset(&m, 0, sizeof(m));
	is_breach(&m, sizeof(m.f) + 8); /* no kind */
	m.f.kind = OFI_MESSAGE;
	is_breach(&m, sizeof(m.f)); /* nothing in it */
	is_breach(&m, 4);	    /* cut short */
	m.f.zero = 1;
	is_breach(&m, sizeof(m.f) + 8);
	m.f.zero = 0;
	m.f.credits = OFI_WINDOW + 1;
	is_breach(&m, sizeof(m.f) + 8);
	m.f = (struct ofi_frame){ .kind = OFI_CREDIT };
	is_breach(&m, sizeof(m.f)); /* no news */
	m.f.kind = OFI_LANE;
	is_breach(&m, sizeof(m.f) + sizeof(struct ofi_lane_body)); /* asked of the side that listens */
	m.f.kind = OFI_CLOSED;
	is_breach(&m, sizeof(m.f) + sizeof(m.u.closed)); /* takes nothing */
	is_breach(&m, sizeof(m.f) + 3);
	m.f.kind = OFI_KEY;
	is_breach(&m, sizeof(m.f) + sizeof(m.u.key)); /* no rights, no bytes */
	m.u.key = (struct net_key_body){ .access = NET_READ, .bytes = 2 * PAGE_BYTES, .addr = UINT64_MAX - PAGE_BYTES };
	is_breach(&m, sizeof(m.f) + sizeof(m.u.key));
	is_breach(&m, sizeof(m.f) + sizeof(m.u.key) + 1);
	memset(&m, 0xff, sizeof(m));
	is_breach(&m, sizeof(m.f) + 100);
	is_breach(&m, sizeof(m.f) + MSG_BYTES_MAX + 8); /* longer than any buffer */
	owner_fds_back_to(before);
}

/* ---- lanes ---- */

static struct net_grant *grant_of(struct net_remote *r)
{
	return container_of(r, struct net_keyed, base)->grant;
}

/* A peer that goes on with a key it was told is closed: refused on the wire, one by one; all else goes on. */
static void refused_on_the_wire(void **state)
{
	static uint8_t page[16][PAGE_BYTES];
	struct net_remote *sealed, *open, *freed;
	struct net_completion c[16];
	uint32_t region, gone;
	uint8_t b[PAGE_BYTES];
	unsigned got = 0;

	client_open();
	open = region_get(conn, BYTES, NET_READ | NET_WRITE, false, NULL);
	sealed = region_get(conn, BYTES, NET_READ | NET_WRITE, false, &region);
	freed = region_get(conn, BYTES, NET_READ | NET_WRITE, true, &gone);
	memset(b, 0x5a, sizeof(b));
	assert_int_equal(write_one(data, open, 0, b, sizeof(b)), 0);
	assert_int_equal(write_one(data, sealed, 0, b, sizeof(b)), 0);
	assert_int_equal(tell(OWNER_SEAL, region, NULL), 0);
	assert_int_equal(tell(OWNER_FREE, gone, NULL), 0);
	grant_of(sealed)->access = grant_of(freed)->access = NET_READ | NET_WRITE;
	for (unsigned i = 0; i < 16; i++) {
		struct net_sge s = { .addr = page[i], .bytes = PAGE_BYTES };

		if (i % 4 == 1)
			assert_int_equal(net_write(data, sealed, 0, &s, 1, i), 0);
		else if (i % 4 == 3)
			assert_int_equal(net_read(data, freed, 0, &s, 1, i), 0);
		else
			assert_int_equal(net_read(data, open, 0, &s, 1, i), 0);
	}
	while (got < 16) {
		int n = net_data_poll(data, c, 16);

		for (int i = 0; i < n; i++, got++)
			assert_int_equal(c[i].err, c[i].cookie % 2 ? -EACCES : 0);
		if (!n)
			assert_int_equal(net_data_wait(data, in_ms(5000)), 0);
	}
	for (unsigned i = 0; i < 16; i += 2)
		assert_memory_equal(page[i], b, sizeof(b));
	assert_int_equal(read_one(data, sealed, 0, page[0], PAGE_BYTES), 0);
	assert_memory_equal(page[0], b, sizeof(b));
	assert_int_equal(write_one(data, freed, 0, b, sizeof(b)), -EACCES);
	assert_false(net_conn_dead(conn));
	net_remote_close(open);
	net_remote_close(sealed);
	net_remote_close(freed);
	client_close();
}

static void wrong_token(void **state)
{
	struct net_remote *r, *r2;
	struct net_data *other;
	struct net_conn *second;
	uint8_t b[16];

	client_open();
	r = region_get(conn, BYTES, NET_READ, false, NULL);
	assert_int_equal(net_connect(net, owner.addr, 1000, &second), 0);
	assert_int_equal(net_data_open(second, NET_DEMAND, &other), 0);
	r2 = region_get(second, BYTES, NET_READ, false, NULL);
	grant_of(r)->k.token[1] ^= 1;
	assert_int_equal(read_one(data, r, 0, b, sizeof(b)), -EPIPE);
	assert_true(net_conn_dead(conn));
	assert_int_equal(read_one(other, r2, 0, b, sizeof(b)), 0);
	net_remote_close(r);
	net_remote_close(r2);
	net_data_close(other);
	net_conn_close(second);
	client_close();
}

/* Each class and thread has lanes of its own; a key that is wrong by a bit reaches nothing. */
static void many_regions(void **state)
{
	struct net_remote *r[200];
	uint32_t region[200];
	uint8_t b[PAGE_BYTES];

	client_open();
	for (unsigned i = 0; i < 200; i++) {
		r[i] = region_get(conn, BYTES, NET_READ | NET_WRITE, i % 2, &region[i]);
		memset(b, (int)i, sizeof(b));
		assert_int_equal(write_one(data, r[i], PAGE_BYTES, b, sizeof(b)), 0);
	}
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(read_one(data, r[i], PAGE_BYTES, b, sizeof(b)), 0);
		assert_int_equal(b[77], i);
	}
	grant_of(r[7])->k.read_key ^= 1ULL << 40;
	assert_int_equal(read_one(data, r[7], 0, b, sizeof(b)), -EACCES);
	assert_int_equal(read_one(data, r[8], PAGE_BYTES, b, sizeof(b)), 0);
	for (unsigned i = 0; i < 200; i++) {
		net_remote_close(r[i]);
		assert_int_equal(tell(OWNER_FREE, region[i], NULL), 0);
	}
	client_close();
}

/* ---- idle ---- */

static uint64_t wakeups(pid_t pid)
{
	char path[40], line[128];
	uint64_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
			n = strtoull(line + 24, NULL, 10);
	fclose(f);
	return n;
}

static uint64_t cpu_ticks(pid_t pid)
{
	unsigned long user = 0, sys = 0;
	char path[40];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys), 2);
	fclose(f);
	return user + sys;
}

/* Connections and lanes that do nothing wake nobody, after they did something. */
static void idle_sleeps(void **state)
{
	struct net_remote *r;
	uint64_t woken, ticks;
	uint8_t b[PAGE_BYTES];

	client_open();
	r = region_get(conn, BYTES, NET_READ, false, NULL);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(read_one(data, r, 0, b, sizeof(b)), 0);
	usleep(200000);
	woken = wakeups(owner.pid);
	ticks = cpu_ticks(owner.pid);
	usleep(500000);
	assert_true(wakeups(owner.pid) - woken < 20);
	assert_true(cpu_ticks(owner.pid) - ticks <= 2); /* not by spinning either */
	net_remote_close(r);
	client_close();
}

int main(void)
{
	const struct CMUnitTest first[] = { cmocka_unit_test(signals_stay), cmocka_unit_test(names) };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),	       cmocka_unit_test(strangers),   cmocka_unit_test(frames),
		cmocka_unit_test(refused_on_the_wire), cmocka_unit_test(wrong_token), cmocka_unit_test(many_regions),
		cmocka_unit_test(idle_sleeps),
	};
	int failed = cmocka_run_group_tests(first, NULL, NULL);

	for (size_t i = 0; i < sizeof(fabrics) / sizeof(fabrics[0]); i++) {
		provider = fabrics[i];
		failed += cmocka_run_group_tests_name(provider, tests, start, end);
	}
	return failed;
}
