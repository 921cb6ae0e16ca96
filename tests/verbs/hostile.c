/*
 * Provider `verbs` against peers that do not keep to its rules: keys that were not given to them, on a lane of their own,
 * keys that are closed, addresses outside, tokens made up, requests that say nothing, frames that are none. Each is
 * refused by the device or before there is a queue pair, and counted by the owner. Needs an RDMA device.
 *
 * The peer is a net of ours whose keys are bent: what the owner sees is what any program can send.
 */
#include "net/verbs/verbs.h"
#include "tests/unit/net_owner.h"

#define BYTES (16 * PAGE_BYTES)
#define GUESSES 64

static const char provider[] = "verbs";
static struct owner owner;
static struct net *net;
static struct net_conn *conn;
static struct net_data *data;
static struct net_remote *mine; /* a region of our own protection domain, to be read and written */
static uint64_t refused;

static uint64_t ask_value(struct net_conn *c, enum owner_op op, uint32_t region, uint64_t arg)
{
	struct owner_cmd cmd = { .op = op, .region = region, .arg = arg };
	struct owner_ans a;

	assert_int_equal(owner_ask(c, &cmd, &a), 0);
	return a.value;
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

static int each_start(void **state)
{
	net = net_for_test(provider, 0);
	assert_int_equal(net_connect(net, owner.addr, 5000, &conn), 0);
	assert_int_equal(net_data_open(conn, NET_DEMAND, &data), 0);
	mine = region_get(conn, BYTES, NET_READ | NET_WRITE, true, NULL);
	refused = ask_value(conn, OWNER_REFUSED, 0, 0);
	return 0;
}

static int each_end(void **state)
{
	net_remote_close(mine);
	net_data_close(data);
	net_conn_close(conn);
	net_close(net);
	return 0;
}

/* The owner hears of the end of a refused lane a little later. */
static void owner_refused(struct net_conn *c, uint64_t n)
{
	uint64_t now = 0;

	for (unsigned i = 0; i < 200 && (now = ask_value(c, OWNER_REFUSED, 0, 0)) < refused + n; i++)
		usleep(10000);
	assert_int_equal(now, refused + n);
}

static struct net_key_body *body(struct net_remote *r)
{
	return &container_of(r, struct net_keyed, base)->grant->k;
}

/* The right of a key, whatever the owner said since. */
static void insist(struct net_remote *r)
{
	__atomic_store_n(&container_of(r, struct net_keyed, base)->grant->access, NET_READ | NET_WRITE,
			 __ATOMIC_RELEASE);
}

static void alive(void)
{
	uint8_t a[64], b[64];

	memset(a, 0x17, sizeof(a));
	assert_int_equal(write_one(data, mine, 100, a, sizeof(a)), 0);
	assert_int_equal(read_one(data, mine, 100, b, sizeof(b)), 0);
	assert_memory_equal(a, b, sizeof(a));
}

/* A region of another process (another protection domain), whose keys we know: they open nothing on our lane. */
static void other_process(void **state)
{
	struct owner_cmd cmd = { .op = OWNER_ALLOC, .access = NET_READ | NET_WRITE, .flags = 3, .arg = BYTES };
	struct net_remote *theirs;
	struct net_conn *second;
	struct owner_ans a;
	uint8_t b[64] = { 1 };

	assert_int_equal(net_connect(net, owner.addr, 5000, &second), 0);
	assert_int_equal(owner_ask(second, &cmd, &a), 0);
	assert_int_equal(net_remote_open(second, &a.key, BYTES, &theirs), 0);
	body(mine)->read_key = body(theirs)->read_key;
	assert_int_equal(read_one(data, mine, 0, b, sizeof(b)), -EACCES);
	body(mine)->write_key = body(theirs)->write_key;
	assert_int_equal(write_one(data, mine, 0, b, sizeof(b)), -EACCES);
	owner_refused(conn, 2);
	assert_int_equal(ask_value(second, OWNER_PEEK, a.region, 0), 0);
	net_remote_close(theirs);
	net_conn_close(second);
}

static void guessed_keys(void **state)
{
	uint32_t key = (uint32_t)body(mine)->read_key;
	uint8_t b[64] = { 1 };
	unsigned n = 0;

	/* Around a key that is right, as one who knows how devices number them would guess. */
	for (uint32_t i = 1; i <= GUESSES / 2; i++) {
		body(mine)->read_key = key ^ i;
		if ((key ^ i) != (uint32_t)body(mine)->write_key)
			n += read_one(data, mine, 0, b, sizeof(b)) == -EACCES;
		body(mine)->read_key = key + (i << 8);
		if (body(mine)->read_key != body(mine)->write_key)
			n += read_one(data, mine, 0, b, sizeof(b)) == -EACCES;
	}
	assert_true(n >= GUESSES - 2);
	owner_refused(conn, n);
	body(mine)->read_key = key;
	alive();
}

static void outside(void **state)
{
	uint8_t b[64] = { 1 };

	body(mine)->addr = BYTES; /* behind the region */
	assert_int_equal(read_one(data, mine, 0, b, sizeof(b)), -EACCES);
	assert_int_equal(write_one(data, mine, 0, b, sizeof(b)), -EACCES);
	body(mine)->addr = BYTES - 1; /* across its end */
	assert_int_equal(write_one(data, mine, 0, b, sizeof(b)), -EACCES);
	body(mine)->addr = (uint64_t)-32; /* across zero */
	assert_int_equal(read_one(data, mine, 0, b, sizeof(b)), -EACCES);
	owner_refused(conn, 4);
	body(mine)->addr = 0;
	alive();
}

static void wrong_right(void **state)
{
	struct net_remote *r = region_get(conn, BYTES, NET_READ, true, NULL), *w;
	uint8_t b[64] = { 1 };

	body(r)->write_key = body(r)->read_key;
	insist(r);
	assert_int_equal(write_one(data, r, 0, b, sizeof(b)), -EACCES);
	w = region_get(conn, BYTES, NET_WRITE, true, NULL);
	body(w)->read_key = body(w)->write_key;
	insist(w);
	assert_int_equal(read_one(data, w, 0, b, sizeof(b)), -EACCES);
	owner_refused(conn, 2);
	alive();
	net_remote_close(r);
	net_remote_close(w);
}

static void sealed(void **state)
{
	uint8_t b[64] = { 1 }, in[64];
	struct net_remote *r;
	uint32_t region;

	r = region_get(conn, BYTES, NET_READ | NET_WRITE, true, &region);
	assert_int_equal(write_one(data, r, 0, b, sizeof(b)), 0);
	ask_value(conn, OWNER_SEAL, region, 0);
	insist(r);
	b[0] = 2;
	assert_int_equal(write_one(data, r, 0, b, sizeof(b)), -EACCES);
	assert_int_equal(read_one(data, r, 0, in, sizeof(in)), 0);
	assert_int_equal(in[0], 1);
	owner_refused(conn, 1);
	net_remote_close(r);
}

static void freed(void **state)
{
	uint8_t b[64] = { 1 };
	struct net_remote *r;
	uint32_t region;

	r = region_get(conn, BYTES, NET_READ | NET_WRITE, false, &region);
	ask_value(conn, OWNER_FREE, region, 0);
	insist(r);
	assert_int_equal(read_one(data, r, 0, b, sizeof(b)), -EACCES);
	assert_int_equal(write_one(data, r, 0, b, sizeof(b)), -EACCES);
	owner_refused(conn, 2);
	alive();
	net_remote_close(r);
}

/* One that is refused among many in flight: it alone fails. */
static void one_of_many(void **state)
{
	struct net_remote *bad = region_get(conn, BYTES, NET_READ, true, NULL);
	struct local_end l = local_make(net, 64 * 64);
	struct net_completion c;
	unsigned taken = 0;

	body(bad)->read_key ^= 0x4000;
	for (unsigned i = 0; i < 64; i++) {
		struct net_sge s = { l.p + 64 * i, 64, l.mr };

		assert_int_equal(net_read(data, i == 20 || i == 40 ? bad : mine, i * 64, &s, 1, i), 0);
	}
	while (taken < 64) {
		assert_int_equal(net_data_wait(data, in_ms(5000)), 0);
		while (net_data_poll(data, &c, 1)) {
			assert_int_equal(c.err, c.cookie == 20 || c.cookie == 40 ? -EACCES : 0);
			taken++;
		}
	}
	owner_refused(conn, 2);
	alive();
	local_end(&l);
	net_remote_close(bad);
}

static void forged_token(void **state)
{
	struct net_conn *second;
	uint8_t b[64];

	body(mine)->token[1] ^= 1;
	assert_int_equal(read_one(data, mine, 0, b, sizeof(b)), -EPIPE);
	assert_true(net_conn_dead(conn));
	assert_int_equal(net_connect(net, owner.addr, 5000, &second), 0);
	owner_refused(second, 1);
	net_conn_close(second);
}

/* ---- strangers: no provider, librdmacm alone ---- */

/* A request with this private data; how it ended: 0, or the reason of the refusal. */
static int request(const void *hello, size_t len)
{
	struct rdma_conn_param p = { .private_data = hello, .private_data_len = (uint8_t)len, .qp_num = 1234 };
	struct sockaddr_storage sa;
	struct rdma_cm_id *id;
	int err;

	assert_int_equal(vb_address_parse(vb_net(net), owner.addr, false, &sa), 0);
	assert_int_equal(rdma_create_id(NULL, &id, NULL, RDMA_PS_TCP), 0);
	assert_int_equal(rdma_resolve_addr(id, NULL, (struct sockaddr *)&sa, 2000), 0);
	assert_int_equal(rdma_resolve_route(id, 2000), 0);
	err = rdma_connect(id, &p) ? errno : 0;
	rdma_destroy_id(id);
	return err;
}

static void bad_requests(void **state)
{
	struct vb_hello good = { .magic = VB_MAGIC, .version = VB_VERSION, .kind = VB_HELLO_CONN }, h;
	uint8_t noise[VB_PRIVATE_MAX];

	memset(noise, 0xa5, sizeof(noise));
	assert_int_equal(request(noise, sizeof(noise)), ECONNREFUSED);
	assert_int_equal(request(noise, 1), ECONNREFUSED);
	memcpy(noise, &good, sizeof(good)); /* what follows is not zero */
	assert_int_equal(request(noise, sizeof(noise)), ECONNREFUSED);
	h = good;
	h.version++;
	assert_int_equal(request(&h, sizeof(h)), ECONNREFUSED);
	h = good;
	h.kind = 77;
	assert_int_equal(request(&h, sizeof(h)), ECONNREFUSED);
	h.kind = VB_HELLO_LANE;
	assert_int_equal(request(&h, sizeof(h)), ECONNREFUSED);
	h.kind = VB_HELLO_BACK;
	assert_int_equal(request(&h, sizeof(h)), ECONNREFUSED);
	owner_refused(conn, 7);
	alive();
}

/* Send bytes as they are, past the provider's own frames. */
static void frame_send(struct vb_conn *c, const void *bytes, uint32_t len)
{
	struct ibv_sge sge = { .addr = (uintptr_t)bytes, .length = len };
	struct ibv_send_wr wr = { .wr_id = 1,
				  .sg_list = &sge,
				  .num_sge = 1,
				  .opcode = IBV_WR_SEND,
				  .send_flags = IBV_SEND_INLINE },
			   *bad;

	assert_int_equal(ibv_post_send(c->link.qp, &wr, &bad), 0);
}

static void wait_end(struct net_conn *c)
{
	uint8_t in[64];

	assert_int_equal(recv_within(c, in, sizeof(in)), -EPIPE);
}

static void bad_frames(void **state)
{
	static const struct vb_frame frames[] = {
		{ .kind = 0x1234 },
		{ .kind = VB_MESSAGE }, /* empty */
		{ .kind = VB_MESSAGE, .zero = 1 },
		{ .kind = VB_CREDIT, .credits = 1 }, /* for nothing that was sent */
		{ .kind = VB_CREDIT },
		{ .kind = VB_KEY },
		{ .kind = VB_CLOSED },
		{ .kind = VB_LANE },
	};
	struct net_conn *c;
	unsigned n;

	for (n = 0; n < sizeof(frames) / sizeof(frames[0]); n++) {
		assert_int_equal(net_connect(net, owner.addr, 5000, &c), 0);
		frame_send(vb_conn(c), &frames[n], sizeof(frames[n]));
		wait_end(c);
		net_conn_close(c);
	}
	assert_int_equal(net_connect(net, owner.addr, 5000, &c), 0);
	frame_send(vb_conn(c), "abc", 3);
	wait_end(c);
	net_conn_close(c);
	owner_refused(conn, n + 1);
	alive();
}

/*
 * More frames than there are credits, and than the owner has buffers, while it does not read: what it takes at once is
 * bounded, and the others are served as before.
 */
static void beyond_credits(void **state)
{
	struct {
		struct vb_frame f;
		uint8_t text[8];
	} m = { { .kind = VB_MESSAGE }, { 0 } };
	struct net_conn *c;

	assert_int_equal(net_connect(net, owner.addr, 5000, &c), 0);
	owner_stop(&owner, true);
	for (unsigned i = 0; i < VB_SQ; i++)
		frame_send(vb_conn(c), &m, sizeof(m));
	usleep(50000);
	owner_stop(&owner, false);
	for (unsigned i = 0; i < 20; i++)
		alive();
	ask_value(conn, OWNER_REFUSED, 0, 0);
	net_conn_close(c);
	ask_value(conn, OWNER_REFUSED, 0, 0);
	alive();
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, each_start, each_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(other_process), t(guessed_keys), t(outside),	    t(wrong_right), t(sealed),	       t(freed),
		t(one_of_many),	  t(forged_token), t(bad_requests), t(bad_frames),  t(beyond_credits),
	};

	return cmocka_run_group_tests_name(provider, tests, start, end);
}
