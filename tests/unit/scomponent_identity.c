/* Storage monitor: nothing without the capability, and everything closed at the end of whoever opened it. */
#include "scomponent_rig.h"

/* Every request but the first is refused on a connection that proved nothing, and counted. */
static void test_nothing_before_hello(void **state)
{
	unsigned n = 0, i;
	struct sto_peer p;

	assert_int_equal(sto_admit(1), 0);
	sto_connect(&p, 1);
	for (i = 0; i < MSG_COUNT; i++) {
		const struct msg_info *info = msg_info_at(i);
		uint64_t req[64] = { 0 };

		if (info->id < P2S_BUFFER || info->id > P2S_USAGE)
			continue;
		n++;
		assert_int_equal(sto_ask(&p, info->id, req), -EACCES);
	}
	assert_int_equal(n, 26);
	assert_int_equal(sto_usage().refused, n);
	assert_int_equal(sto_usage().clients, 0);
	sto_end(&p);
}

static void test_wrong_capability(void **state)
{
	struct cap wrong = sto_cap(1);
	struct sto_peer p;

	assert_int_equal(sto_admit(1), 0);
	sto_connect(&p, 1);
	wrong.w[0] ^= 1ULL << 63;
	assert_int_equal(sto_hello(&p, 1, wrong), -EACCES);
	assert_int_equal(sto_hello(&p, 2, sto_cap(2)), -EACCES);
	assert_int_equal(sto_hello(&p, 2, sto_cap(1)), -EACCES);
	assert_int_equal(sto_stat(&p, 0, "/", 0), -EACCES);
	assert_int_equal(sto_usage().refused, 4);
	assert_int_equal(sto_hello(&p, 1, sto_cap(1)), 0);
	assert_int_equal(sto_stat(&p, 0, "/", 0), 0);
	assert_int_equal(sto_hello(&p, 1, sto_cap(1)), -EEXIST);
	sto_end(&p);
}

/* The header of each request names the process it is for: no other than that of the connection. */
static void test_header_of_another(void **state)
{
	struct sto_peer p;

	assert_int_equal(sto_admit(2), 0);
	sto_start(&p, 1);
	p.pid = 2;
	assert_int_equal(sto_stat(&p, 0, "/", 0), -EACCES);
	p.pid = 0;
	assert_int_equal(sto_stat(&p, 0, "/", 0), -EACCES);
	assert_int_equal(sto_usage().refused, 2);
	p.pid = 1;
	assert_int_equal(sto_stat(&p, 0, "/", 0), 0);
	sto_end(&p);
}

/* Root can act for everybody, anyone else for that user only. */
static void test_other_user(void **state)
{
	struct g2x_admit_req req = { .cap = sto_cap(1), .pid = 1, .uid = geteuid() + 1 };

	assert_int_equal(scomponent_admit(sto, &req), geteuid() == 0 ? 0 : -EPERM);
	scomponent_revoke(sto, 1);
	req.uid = geteuid();
	assert_int_equal(scomponent_admit(sto, &req), 0);
	assert_int_equal(scomponent_admit(sto, &req), -EEXIST);
	assert_int_equal(sto_usage().processes, 1);
}

static int become(struct sto_peer *p, uint32_t uid, uint32_t groups, uint32_t tail_bytes)
{
	static const uint32_t tail[CREDS_GROUPS_MAX];
	struct p2s_creds_req req = { .groups = groups };
	unsigned i;

	for (i = 0; i < CREDS_WHICH; i++) {
		req.uid[i] = uid;
		req.gid[i] = getegid();
	}
	return sto_ask_tail(p, P2S_CREDS, &req, tail, tail_bytes);
}

/* Who claims to be another, where none but its own user is served, is nobody until it is itself again. */
static void test_another_user(void **state)
{
	uint32_t self = geteuid(), most = CREDS_GROUPS_MAX;
	struct sto_peer p;
	uint64_t h;

	assert_int_equal(sto_admit(1), 0);
	sto_connect(&p, 1);
	assert_int_equal(become(&p, self, 0, 0), -EACCES);
	sto_end(&p);
	sto_start(&p, 2);
	h = sto_handle(&p, "/", O_RDONLY);
	assert_int_equal(become(&p, self, 1, 0), -EINVAL);
	assert_int_equal(become(&p, self, 1, 8), -EINVAL);
	assert_int_equal(become(&p, self, most + 1, 4 * most), -EINVAL);
	assert_int_equal(sto_stat(&p, 0, "/", 0), 0);
	assert_int_equal(become(&p, self, most, 4 * most), 0);
	assert_int_equal(sto_stat(&p, 0, "/", 0), 0);
	assert_int_equal(become(&p, 0, 0, 0), -EPERM);
	assert_int_equal(sto_stat(&p, 0, "/", 0), -EACCES);
	assert_int_equal(sto_stat(&p, h, "", AT_EMPTY_PATH), -EACCES);
	assert_int_equal(sto_close_handle(&p, h), 0);
	assert_int_equal(become(&p, self + 1, 0, 0), -EPERM);
	assert_int_equal(become(&p, self, 0, 0), 0);
	assert_int_equal(sto_stat(&p, 0, "/", 0), 0);
	sto_end(&p);
}

static void refused_kind(enum wire_kind kind)
{
	struct sto_peer p = { .pid = 1 };
	uint64_t req[8] = { 0 };
	int err;

	rig_connect(&p.p, net_listener_addr(sto_listener), kind);
	err = sto_ask(&p, P2S_HELLO, req);
	assert_true(err == -EPIPE || err == -ECANCELED);
	sto_end(&p);
}

/* Only dispatchers speak this edge. */
static void test_other_kinds(void **state)
{
	refused_kind(KIND_COMMAND);
	refused_kind(KIND_MEMORY);
	assert_int_equal(sto_usage().clients, 0);
}

static void test_buffer(void **state)
{
	struct p2s_buffer_req foreign = { .key = { { 1, 2, 3, 4 } }, .bytes = PAGE_BYTES };
	struct sto_peer p;

	assert_int_equal(sto_admit(1), 0);
	sto_connect(&p, 1);
	assert_int_equal(sto_hello(&p, 1, sto_cap(1)), 0);
	assert_int_equal(sto_buffer(&p, 0), -EINVAL);
	assert_int_equal(sto_buffer(&p, 100), -EINVAL);
	assert_int_equal(sto_buffer(&p, UINT64_MAX & ~4095ULL), -EINVAL);
	assert_int_not_equal(sto_ask(&p, P2S_BUFFER, &foreign), 0);
	assert_int_equal(sto_buffer(&p, BUFFER_BYTES), 0);
	assert_int_equal(sto_buffer(&p, BUFFER_BYTES), -EEXIST);
	sto_end(&p);
}

/* Handles of a connection end with it; the process may come again, as after execve. */
static void test_end_of_connection(void **state)
{
	struct sto_peer p, again;
	uint64_t h = 0;
	int i;

	sto_start(&p, 1);
	for (i = 0; i < 100; i++)
		h = sto_handle(&p, "/", O_PATH);
	assert_int_equal(sto_usage().handles, 100);
	sto_end(&p);
	rig_until(sto_usage().handles == 0);
	assert_int_equal(sto_usage().clients, 0);
	sto_bind(&again, 1);
	assert_int_equal(sto_close_handle(&again, h), -EBADF);
	sto_end(&again);
}

static void test_revoke(void **state)
{
	struct sto_peer p, second, other;

	sto_start(&p, 1);
	sto_bind(&second, 1);
	sto_start(&other, 2);
	sto_handle(&p, "/", O_PATH);
	sto_handle(&second, "/", O_PATH);
	sto_handle(&other, "/", O_PATH);
	assert_int_equal(sto_usage().handles, 3);
	scomponent_revoke(sto, 1);
	assert_int_equal(sto_usage().handles, 1);
	assert_int_equal(sto_usage().processes, 1);
	rig_until(!p.p.rpc && !second.p.rpc);
	assert_int_equal(sto_stat(&other, 0, "/", 0), 0);
	sto_end(&p);
	sto_end(&second);
	sto_connect(&p, 1);
	assert_int_equal(sto_hello(&p, 1, sto_cap(1)), -EACCES);
	scomponent_revoke(sto, 7); /* harmless */
	sto_end(&p);
	sto_end(&other);
}

/* What tests and tools see. */
static void test_usage(void **state)
{
	struct p2s_usage_req req = { 0 };
	struct sto_peer p, other;

	sto_start(&p, 1);
	sto_start(&other, 2);
	sto_handle(&p, "/", O_PATH);
	sto_handle(&other, "/", O_PATH);
	assert_int_equal(sto_ask(&p, P2S_USAGE, &req), 0);
	assert_int_equal(sto_rep(p2s_usage_rep)->handles, 1);
	assert_int_equal(sto_rep(p2s_usage_rep)->all_handles, 2);
	assert_int_equal(sto_rep(p2s_usage_rep)->processes, 2);
	req.reserved0 = 1;
	assert_int_equal(sto_ask(&p, P2S_USAGE, &req), -EINVAL);
	sto_end(&p);
	sto_end(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_before_hello, sto_open, sto_close),
		cmocka_unit_test_setup_teardown(test_wrong_capability, sto_open, sto_close),
		cmocka_unit_test_setup_teardown(test_header_of_another, sto_open, sto_close),
		cmocka_unit_test_setup_teardown(test_other_user, sto_open, sto_close),
		cmocka_unit_test_setup_teardown(test_other_kinds, sto_open, sto_close),
		cmocka_unit_test_setup_teardown(test_another_user, sto_open, sto_close),
		cmocka_unit_test_setup_teardown(test_buffer, sto_open, sto_close),
		cmocka_unit_test_setup_teardown(test_end_of_connection, sto_open, sto_close),
		cmocka_unit_test_setup_teardown(test_revoke, sto_open, sto_close),
		cmocka_unit_test_setup_teardown(test_usage, sto_open, sto_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
