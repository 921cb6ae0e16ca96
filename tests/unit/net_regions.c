/* Registered memory of every provider: keys granted, taken up, read, written, sealed, freed; what is out of bounds. */
#include "net_owner.h"

#define BYTES (64 * PAGE_BYTES)

static const char *provider;
static struct owner owner;
static struct net *net;
static struct net_conn *conn;
static struct net_data *data;
static uint64_t fds_unconnected;

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
	fds_unconnected = fds_open(getpid());
	assert_int_equal(net_connect(net, owner.addr, 1000, &conn), 0);
	assert_int_equal(net_data_open(conn, NET_DEMAND, &data), 0);
	return 0;
}

static int each_end(void **state)
{
	net_data_close(data);
	net_conn_close(conn);
	net_close(net);
	return 0;
}

static int tell(enum owner_op op, uint32_t region, uint64_t arg, uint64_t *value)
{
	struct owner_cmd cmd = { .op = op, .region = region, .arg = arg, .access = NET_READ };
	struct owner_ans a;
	int err = owner_ask(conn, &cmd, &a);

	if (value)
		*value = a.value;
	return err;
}

static void zeroed_write_read(void **state)
{
	struct net_remote *r = region_get(conn, BYTES, NET_READ | NET_WRITE, false, NULL);
	uint8_t a[PAGE_BYTES], b[PAGE_BYTES], zero[PAGE_BYTES] = { 0 };

	for (uint64_t off = 0; off < BYTES; off += PAGE_BYTES) {
		memset(b, 1, sizeof(b));
		assert_int_equal(read_one(data, r, off, b, sizeof(b)), 0);
		assert_memory_equal(b, zero, sizeof(b));
		memset(a, (int)(off / PAGE_BYTES + 1), sizeof(a));
		assert_int_equal(write_one(data, r, off, a, sizeof(a)), 0);
	}
	for (uint64_t off = 0; off < BYTES; off += PAGE_BYTES) {
		memset(a, (int)(off / PAGE_BYTES + 1), sizeof(a));
		assert_int_equal(read_one(data, r, off, b, sizeof(b)), 0);
		assert_memory_equal(a, b, sizeof(a));
	}
	/* neither aligned nor whole pages */
	memset(a, 0xee, 100);
	assert_int_equal(write_one(data, r, 4000, a, 100), 0);
	assert_int_equal(read_one(data, r, 3999, b, 102), 0);
	assert_memory_equal(b + 1, a, 100);
	assert_int_equal(b[0], 1);
	assert_int_equal(b[101], 2);
	net_remote_close(r);
}

static void pieces(void **state)
{
	struct net_remote *r = region_get(conn, BYTES, NET_READ | NET_WRITE, false, NULL);
	struct local_end out = local_make(net, NET_SGE_MAX * PAGE_BYTES),
			 in = local_make(net, NET_SGE_MAX * PAGE_BYTES);
	struct net_sge so[NET_SGE_MAX + 1], si[NET_SGE_MAX + 1];

	for (unsigned i = 0; i <= NET_SGE_MAX; i++) {
		unsigned k = i < NET_SGE_MAX ? i : 0;

		memset(out.p + k * PAGE_BYTES, (int)(k + 1), PAGE_BYTES);
		so[i] = (struct net_sge){ out.p + k * PAGE_BYTES, PAGE_BYTES - k, out.mr };
		si[i] = (struct net_sge){ in.p + k * PAGE_BYTES, PAGE_BYTES - k, in.mr };
	}
	assert_int_equal(net_write_sync(data, r, 0, so, NET_SGE_MAX, in_ms(5000)), 0);
	assert_int_equal(net_read_sync(data, r, 0, si, NET_SGE_MAX, in_ms(5000)), 0);
	for (unsigned i = 0; i < NET_SGE_MAX; i++)
		assert_memory_equal(in.p + i * PAGE_BYTES, out.p + i * PAGE_BYTES, PAGE_BYTES - i);
	assert_int_equal(net_read(data, r, 0, si, NET_SGE_MAX + 1, 0), -EINVAL);
	assert_int_equal(net_read(data, r, 0, si, 0, 0), -EINVAL);
	net_remote_close(r);
	local_end(&out);
	local_end(&in);
}

/* Where local memory must be registered, nothing else is taken for it. */
static void local_memory(void **state)
{
	struct net_remote *r = region_get(conn, BYTES, NET_READ | NET_WRITE, false, NULL);
	struct local_end l = local_make(net, 2 * PAGE_BYTES);
	uint8_t other[16] = { 0 };
	struct net_sge s;

	if (!net_local_any(net)) {
		s = (struct net_sge){ other, sizeof(other), NULL };
		assert_int_equal(net_read(data, r, 0, &s, 1, 0), -EINVAL);
		s.mr = l.mr;
		assert_int_equal(net_write(data, r, 0, &s, 1, 0), -EINVAL);
		s = (struct net_sge){ l.p + 2 * PAGE_BYTES - 8, 9, l.mr };
		assert_int_equal(net_read(data, r, 0, &s, 1, 0), -EINVAL);
		s = (struct net_sge){ l.p - 1, 8, l.mr };
		assert_int_equal(net_read(data, r, 0, &s, 1, 0), -EINVAL);
	}
	s = (struct net_sge){ l.p + 2 * PAGE_BYTES - 8, 8, l.mr };
	assert_int_equal(net_read_sync(data, r, 0, &s, 1, in_ms(5000)), 0);
	net_remote_close(r);
	local_end(&l);
}

static void bounds(void **state)
{
	struct net_remote *r = region_get(conn, BYTES, NET_READ | NET_WRITE, false, NULL);
	struct net_sge two[2], none;
	uint8_t b[2 * PAGE_BYTES] = { 0 };

	assert_int_equal(read_one(data, r, BYTES - PAGE_BYTES, b, PAGE_BYTES), 0);
	assert_int_equal(read_one(data, r, BYTES - PAGE_BYTES + 1, b, PAGE_BYTES), -ERANGE);
	assert_int_equal(write_one(data, r, BYTES, b, 1), -ERANGE);
	assert_int_equal(write_one(data, r, UINT64_MAX, b, 1), -ERANGE);
	assert_int_equal(read_one(data, r, UINT64_MAX - PAGE_BYTES + 1, b, PAGE_BYTES), -ERANGE);
	assert_int_equal(read_one(data, r, 1ULL << 63, b, PAGE_BYTES), -ERANGE);
	assert_int_equal(read_one(data, r, 0, b, 0), -EINVAL);
	none = (struct net_sge){ .addr = NULL, .bytes = 1 };
	assert_int_equal(net_read(data, r, 0, &none, 1, 0), -EINVAL);
	two[0] = (struct net_sge){ .addr = b, .bytes = PAGE_BYTES };
	two[1] = (struct net_sge){ .addr = b, .bytes = UINT32_MAX };
	assert_int_equal(net_write(data, r, 0, two, 2, 0), -ERANGE);
	net_remote_close(r);
}

static void completions(void **state)
{
	struct net_remote *r = region_get(conn, BYTES, NET_READ | NET_WRITE, false, NULL);
	struct net_sge s;
	struct net_completion c[8];
	struct local_end l = local_make(net, 16);
	uint64_t next = 0, posted = 0;

	s = (struct net_sge){ .addr = l.p, .bytes = 16, .mr = l.mr };
	assert_int_equal(net_data_poll(data, c, 8), 0);
	for (int round = 0; round < 3; round++) {
		int err = 0, n;

		while (!err && posted < 100000)
			if (!(err = net_read(data, r, 0, &s, 1, posted)))
				posted++;
		assert_int_equal(err, -EAGAIN);
		while (next < posted) {
			assert_int_equal(net_data_wait(data, in_ms(5000)), 0);
			n = net_data_poll(data, c, 8);
			for (int i = 0; i < n; i++) {
				assert_int_equal(c[i].err, 0);
				assert_int_equal(c[i].cookie, next++);
			}
		}
	}
	assert_int_equal(net_data_wait(data, in_ms(10)), -ETIMEDOUT);
	assert_int_equal(net_stats(net)->reads, posted);
	assert_int_equal(net_stats(net)->read_bytes, posted * 16);
	net_remote_close(r);
	local_end(&l);
}

static void rights(void **state)
{
	struct net_remote *r = region_get(conn, BYTES, NET_READ, false, NULL), *w;
	uint64_t failures = net_stats(net)->failures;
	uint8_t b[PAGE_BYTES] = { 1 };

	assert_int_equal(read_one(data, r, 0, b, sizeof(b)), 0);
	assert_int_equal(write_one(data, r, 0, b, sizeof(b)), -EACCES);
	w = region_get(conn, BYTES, NET_WRITE, false, NULL);
	assert_int_equal(write_one(data, w, 0, b, sizeof(b)), 0);
	assert_int_equal(read_one(data, w, 0, b, sizeof(b)), -EACCES);
	assert_int_equal(net_stats(net)->failures, failures + 2);
	net_remote_close(r);
	net_remote_close(w);
}

static void sealing(bool mapped)
{
	struct owner_cmd cmd = { .op = OWNER_GRANT };
	struct net_remote *r, *r2;
	uint8_t b[PAGE_BYTES], in[PAGE_BYTES];
	struct owner_ans a;
	uint32_t region;

	r = region_get(conn, BYTES, NET_READ | NET_WRITE, mapped, &region);
	memset(b, 0x5a, sizeof(b));
	assert_int_equal(write_one(data, r, PAGE_BYTES, b, sizeof(b)), 0);
	assert_int_equal(tell(OWNER_SEAL, region, 0, NULL), 0);
	assert_int_equal(tell(OWNER_SEAL, region, 0, NULL), 0);
	assert_int_equal(write_one(data, r, 0, b, sizeof(b)), -EACCES);
	assert_int_equal(read_one(data, r, PAGE_BYTES, in, sizeof(in)), 0);
	assert_memory_equal(in, b, sizeof(b));
	/* A key to write it is no longer given, one to read it is. */
	cmd.region = region;
	cmd.access = NET_READ | NET_WRITE;
	assert_int_equal(owner_ask(conn, &cmd, &a), -EACCES);
	cmd.access = NET_READ;
	assert_int_equal(owner_ask(conn, &cmd, &a), 0);
	assert_int_equal(net_remote_open(conn, &a.key, BYTES, &r2), 0);
	memset(in, 0, sizeof(in));
	assert_int_equal(read_one(data, r2, PAGE_BYTES, in, sizeof(in)), 0);
	assert_memory_equal(in, b, sizeof(b));
	net_remote_close(r2);
	net_remote_close(r);
}

static void seal_ends_writing(void **state)
{
	sealing(false);
	sealing(true);
}

/* The same memory in two protection domains: for reading only, each for itself, the memory is there until the last goes. */
static void shared(void **state)
{
	struct owner_cmd share = { .op = OWNER_SHARE, .access = NET_READ, .flags = 2 };
	uint8_t a[PAGE_BYTES], b[PAGE_BYTES], zero[PAGE_BYTES] = { 0 };
	struct net_remote *first, *second, *third;
	uint64_t before, after;
	struct owner_ans ans;

	assert_int_equal(tell(OWNER_FDS, 0, 0, &before), 0);
	first = region_get(conn, BYTES, NET_READ | NET_WRITE, false, &share.region);
	memset(a, 0xc3, sizeof(a));
	assert_int_equal(write_one(data, first, 3 * PAGE_BYTES, a, sizeof(a)), 0);
	assert_int_equal(owner_ask(conn, &share, &ans), -EINVAL); /* it is open */
	assert_int_equal(tell(OWNER_SEAL, share.region, 0, NULL), 0);
	share.access = NET_READ | NET_WRITE;
	assert_int_equal(owner_ask(conn, &share, &ans), -EACCES);
	assert_int_equal(tell(OWNER_FREE, ans.region, 0, NULL), 0);
	share.access = NET_READ;
	assert_int_equal(owner_ask(conn, &share, &ans), 0);
	assert_int_equal(net_remote_open(conn, &ans.key, BYTES, &second), 0);
	assert_int_equal(read_one(data, second, 3 * PAGE_BYTES, b, sizeof(b)), 0);
	assert_memory_equal(a, b, sizeof(b));
	assert_int_equal(write_one(data, second, 3 * PAGE_BYTES, zero, sizeof(zero)), -EACCES);
	/* The first goes: the other still has it all, and can be shared on. */
	assert_int_equal(tell(OWNER_FREE, share.region, 0, NULL), 0);
	net_remote_close(first);
	assert_int_equal(read_one(data, second, 3 * PAGE_BYTES, b, sizeof(b)), 0);
	assert_memory_equal(a, b, sizeof(b));
	share.region = ans.region;
	share.flags = 0;
	assert_int_equal(owner_ask(conn, &share, &ans), 0);
	assert_int_equal(net_remote_open(conn, &ans.key, BYTES, &third), 0);
	assert_int_equal(tell(OWNER_FREE, share.region, 0, NULL), 0);
	assert_int_equal(read_one(data, third, 3 * PAGE_BYTES, b, sizeof(b)), 0);
	assert_memory_equal(a, b, sizeof(b));
	assert_int_equal(tell(OWNER_FREE, ans.region, 0, NULL), 0);
	net_remote_close(second);
	net_remote_close(third);
	assert_int_equal(tell(OWNER_FDS, 0, 0, &after), 0);
	if (!fabric_is_ofi(provider)) /* its domains have some */
		assert_int_equal(after, before);
}

/* After the region is freed a peer that kept the key sees zeros or an error, and cannot write. */
static void freed(void **state)
{
	uint8_t b[PAGE_BYTES], in[PAGE_BYTES], zero[PAGE_BYTES] = { 0 };
	struct net_remote *r;
	uint32_t region;

	r = region_get(conn, BYTES, NET_READ | NET_WRITE, false, &region);
	memset(b, 0x5a, sizeof(b));
	assert_int_equal(write_one(data, r, 0, b, sizeof(b)), 0);
	assert_int_equal(tell(OWNER_FREE, region, 0, NULL), 0);
	memset(in, 1, sizeof(in));
	if (!read_one(data, r, 0, in, sizeof(in)))
		assert_memory_equal(in, zero, sizeof(in));
	assert_int_equal(write_one(data, r, 0, b, sizeof(b)), -EACCES);
	net_remote_close(r);
}

static void owner_sees_it(void **state)
{
	struct owner_cmd poke = { .op = OWNER_POKE, .flags = 0x77, .arg = PAGE_BYTES };
	struct net_remote *r;
	uint8_t b[PAGE_BYTES];
	struct owner_ans a;
	uint64_t value;

	r = region_get(conn, BYTES, NET_READ | NET_WRITE, true, &poke.region);
	memset(b, 0x42, sizeof(b));
	assert_int_equal(write_one(data, r, PAGE_BYTES, b, sizeof(b)), 0);
	assert_int_equal(tell(OWNER_PEEK, poke.region, 2 * PAGE_BYTES - 1, &value), 0);
	assert_int_equal(value, 0x42);
	assert_int_equal(owner_ask(conn, &poke, &a), 0);
	assert_int_equal(read_one(data, r, 0, b, sizeof(b)), 0);
	assert_int_equal(b[PAGE_BYTES - 1], 0x77);
	net_remote_close(r);
}

static void wrong_keys(void **state)
{
	struct owner_cmd cmd = { .op = OWNER_ALLOC, .access = NET_READ, .arg = BYTES };
	struct net_key none = { { 1, 2, 3, 4 } }, bent;
	struct net_conn *second;
	struct net_data *data2;
	struct net_remote *r;
	struct owner_ans a;
	uint8_t b[16];

	assert_int_equal(net_remote_open(conn, &none, BYTES, &r), -EACCES);
	memset(&none, 0, sizeof(none));
	assert_int_equal(net_remote_open(conn, &none, BYTES, &r), -EACCES);
	assert_int_equal(owner_ask(conn, &cmd, &a), 0);
	bent = a.key;
	bent.w[0] ^= 1;
	assert_int_equal(net_remote_open(conn, &bent, BYTES, &r), -EACCES);
	/* a size that the region has not */
	assert_int_equal(net_remote_open(conn, &a.key, BYTES + PAGE_BYTES, &r), -ERANGE);
	assert_int_equal(net_remote_open(conn, &a.key, 0, &r), -EINVAL);
	/* granted to another connection */
	assert_int_equal(net_connect(net, owner.addr, 1000, &second), 0);
	assert_int_equal(net_remote_open(second, &a.key, BYTES, &r), -EACCES);
	/* taken up once; and not through a data connection of another */
	assert_int_equal(net_remote_open(conn, &a.key, BYTES, &r), 0);
	assert_int_equal(net_data_open(second, NET_DEMAND, &data2), 0);
	assert_int_equal(read_one(data2, r, 0, b, sizeof(b)), -EINVAL);
	assert_int_equal(read_one(data, r, 0, b, sizeof(b)), 0);
	net_data_close(data2);
	net_conn_close(second);
	net_remote_close(r);
	assert_int_equal(net_remote_open(conn, &a.key, BYTES, &r), -EACCES);
}

static void bad_sizes(void **state)
{
	struct net_pd *pd;
	struct net_mr *mr;

	assert_int_equal(net_pd_open(net, &pd), 0);
	assert_int_equal(net_mr_alloc(pd, 0, false, &mr), -EINVAL);
	assert_int_equal(net_mr_alloc(pd, PAGE_BYTES + 1, false, &mr), -EINVAL);
	assert_int_equal(net_mr_alloc(pd, PAGE_BYTES, false, &mr), 0);
	assert_null(net_mr_addr(mr));
	assert_int_equal(net_mr_grant(mr, conn, 0, &(struct net_key){ { 0 } }), -EINVAL);
	assert_int_equal(net_mr_grant(mr, conn, 8, &(struct net_key){ { 0 } }), -EINVAL);
	net_mr_free(mr);
	net_pd_close(pd);
}

/* Both ends: nothing is left behind by regions, keys taken up or never taken up. */
static void nothing_left(void **state)
{
	uint64_t here, there, after;
	struct owner_cmd push = { .op = OWNER_PUSH };
	struct owner_ans a;
	uint32_t region;

	assert_int_equal(tell(OWNER_FDS, 0, 0, &there), 0);
	here = fds_open(getpid());
	for (int i = 0; i < 50; i++) {
		net_remote_close(region_get(conn, BYTES, NET_READ | (i % 2 ? NET_WRITE : 0), i % 3 == 0, &region));
		assert_int_equal(tell(OWNER_FREE, region, 0, NULL), 0);
	}
	assert_int_equal(tell(OWNER_FDS, 0, 0, &after), 0);
	assert_int_equal(after, there);
	assert_int_equal(fds_open(getpid()), here);
	/* A flood of keys is bounded, and goes with the connection. */
	net_remote_close(region_get(conn, BYTES, NET_READ, false, &push.region));
	push.arg = 50;
	for (int i = 0; i < 20; i++)
		assert_int_equal(owner_ask(conn, &push, &a), 0);
	assert_true(fds_open(getpid()) <= here + 2 * RPC_CREDITS);
	assert_int_equal(tell(OWNER_FREE, push.region, 0, NULL), 0);
	net_data_close(data);
	net_conn_close(conn);
	assert_int_equal(fds_open(getpid()), fds_unconnected);
	assert_int_equal(net_connect(net, owner.addr, 1000, &conn), 0);
	assert_int_equal(net_data_open(conn, NET_DEMAND, &data), 0);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, each_start, each_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(zeroed_write_read), t(pieces), t(local_memory), t(bounds),	    t(completions), t(rights),
		t(seal_ends_writing), t(shared), t(freed),	  t(owner_sees_it), t(wrong_keys),  t(bad_sizes),
		t(nothing_left),
	};
	int failed = 0;

	for (size_t i = 0; (provider = fabric_tested(i)); i++)
		failed += cmocka_run_group_tests_name(provider, tests, start, end);
	provider = "sim";
	if (!fabric_chosen())
		failed += sim_group_run(tests, sizeof(tests) / sizeof(tests[0]), start, end);
	return failed;
}
