/*
 * Storage monitor: open files that are passed to other processes of the tree by a token. They are kept open as long as they
 * are on their way, and no longer; nothing is had without the token, or by another tree.
 */
#include <sys/file.h>
#include "scomponent_rig.h"
#include "scomponent/state.h"

static struct sto_peer one, two, guard;
static const struct cap token = { { 0x1234, 0x5678 } }, other = { { 0x1234, 0x5679 } };

static int pass_open(void **state)
{
	if (sto_open(state))
		return -1;
	sto_start(&one, 1);
	sto_bind(&two, 1); /* two connections of a member have no files in common */
	sto_file("f", "0123456789");
	sto_file("g", "g");
	return 0;
}

static int pass_close(void **state)
{
	sto_end(&one);
	sto_end(&two);
	return sto_close(state);
}

static void until_handles(uint64_t n)
{
	rig_until(sto_usage().handles == n);
}

static int pass(struct sto_peer *p, uint64_t handle, struct cap by)
{
	struct p2s_pass_req req = { .handle = handle, .token = by };

	return sto_ask(p, P2S_PASS, &req);
}

static int take(struct sto_peer *p, struct cap by, uint32_t op)
{
	struct p2s_take_req req = { .token = by, .op = op };

	return sto_ask(p, P2S_TAKE, &req);
}

static uint64_t taken(void)
{
	return sto_rep(p2s_take_rep)->handle;
}

static void test_taken(void **state)
{
	uint64_t f = sto_handle(&one, "f", O_RDWR | O_APPEND), g;

	assert_int_equal(pass(&one, f, token), 0);
	assert_int_equal(sto_usage().handles, 2);
	assert_int_equal(take(&two, token, P2S_TAKE_FILE), 0);
	assert_int_equal(sto_usage().handles, 2);
	assert_string_equal(sto_tail(), "/f");
	assert_int_equal(sto_rep(p2s_take_rep)->stat.size, 10);
	assert_int_equal(sto_rep(p2s_take_rep)->flags & (O_ACCMODE | O_APPEND), O_RDWR);
	g = taken();
	assert_int_equal(sto_read(&two, g, 3, 0, 4), 0);
	assert_memory_equal(sto_buf(&two), "3456", 4);
	/* nothing is on its way, but it has its token as long as somebody has it open */
	assert_int_equal(take(&two, token, P2S_TAKE_FILE), 0);
	assert_int_equal(sto_close_handle(&two, taken()), 0);
	assert_int_equal(sto_close_handle(&one, f), 0);
	assert_int_equal(take(&one, token, P2S_TAKE_PEEK), 0);
	assert_int_equal(sto_close_handle(&one, taken()), 0);
	assert_int_equal(sto_close_handle(&two, g), 0);
	assert_int_equal(sto_usage().handles, 0);
	assert_int_equal(take(&two, token, P2S_TAKE_FILE), -ENOENT);
}

/* Whoever passed it is gone: it is there until it has been taken as often as it was passed. */
static void test_on_its_way(void **state)
{
	uint64_t f = sto_handle(&one, "f", O_RDWR);

	assert_int_equal(pass(&one, f, token), 0);
	assert_int_equal(pass(&one, f, token), 0);
	sto_end(&one);
	until_handles(1);
	assert_int_equal(take(&two, token, P2S_TAKE_PEEK), 0);
	assert_int_equal(sto_close_handle(&two, taken()), 0);
	assert_int_equal(take(&two, token, P2S_TAKE_DONE), 0);
	assert_int_equal(sto_usage().handles, 1);
	assert_int_equal(take(&two, token, P2S_TAKE_FILE), 0);
	f = taken();
	assert_int_equal(sto_read(&two, f, 0, 0, 4), 0);
	assert_int_equal(sto_close_handle(&two, f), 0);
	assert_int_equal(sto_usage().handles, 0);
	assert_int_equal(take(&two, token, P2S_TAKE_DONE), -ENOENT);
	sto_bind(&one, 1);
}

static void test_refused(void **state)
{
	uint64_t f = sto_handle(&one, "f", O_RDWR), again = sto_handle(&one, "f", O_RDONLY), g;
	struct p2s_take_req req = { .token = token, .reserved0 = 1 };
	struct sto_peer stranger;

	g = sto_handle(&one, "g", O_RDWR);
	assert_int_equal(pass(&one, 0, token), -EBADF);
	assert_int_equal(pass(&two, f, token), -EBADF); /* another connection's */
	assert_int_equal(pass(&one, f, token), 0);
	assert_int_equal(pass(&one, f, other), -EEXIST);
	assert_int_equal(pass(&one, g, token), -EEXIST);
	assert_int_equal(pass(&one, again, token), 0); /* the same file: opened again after a restart */
	assert_int_equal(take(&two, other, P2S_TAKE_FILE), -ENOENT);
	assert_int_equal(take(&two, token, P2S_TAKE_DONE + 1), -EINVAL);
	assert_int_equal(sto_ask(&two, P2S_TAKE, &req), -EINVAL);
	sto_start(&stranger, 2);
	assert_int_equal(take(&stranger, token, P2S_TAKE_FILE), -ENOENT);
	sto_end(&stranger);
	sto_connect(&stranger, 1);
	assert_int_equal(take(&stranger, token, P2S_TAKE_FILE), -EACCES);
	assert_int_equal(pass(&stranger, f, token), -EACCES);
	sto_end(&stranger);
	assert_int_equal(sto_usage().handles, 4);
	scomponent_revoke(sto, 2);
}

static void all_wait_longer(uint64_t ms)
{
	struct list *l, *all = &process_find(sto, 1)->passed;

	for (l = all->next; l != all; l = l->next)
		container_of(l, struct passed, link)->passed_ns -= ms * NS_PER_MS;
}

/* So many on their way, and no more until the first has waited long enough. */
static void test_bounds(void **state)
{
	struct cap by = { { 0, 1 } };
	uint64_t f;

	for (by.w[0] = 0; by.w[0] < PASSED_PER_TREE_MAX; by.w[0]++) {
		f = sto_handle(&one, "f", O_RDONLY);
		assert_int_equal(pass(&one, f, by), 0);
		assert_int_equal(sto_close_handle(&one, f), 0);
	}
	f = sto_handle(&one, "g", O_RDONLY);
	assert_int_equal(pass(&one, f, by), -ETOOMANYREFS);
	assert_int_equal(sto_usage().handles, PASSED_PER_TREE_MAX + 1);
	all_wait_longer(PASSED_MS);
	assert_int_equal(pass(&one, f, by), 0);
	assert_int_equal(sto_usage().handles, PASSED_PER_TREE_MAX + 1);
	by.w[0] = 0;
	assert_int_equal(take(&two, by, P2S_TAKE_FILE), -ENOENT);
	by.w[0] = 1;
	assert_int_equal(take(&two, by, P2S_TAKE_FILE), 0);
}

/* The tree is over: by its guard's end, or because the gmm says so. */
static void test_over(void **state)
{
	struct p2s_guard_req req = { .cap = sto_cap(1), .pid = 1 };
	uint64_t f = sto_handle(&one, "f", O_RDWR), g = sto_handle(&one, "g", O_RDWR);

	memset(&guard, 0, sizeof(guard));
	guard.pid = 1;
	rig_connect(&guard.p, net_listener_addr(sto_listener), KIND_PROCESSOR);
	assert_int_equal(sto_ask(&guard, P2S_GUARD, &req), 0);
	assert_int_equal(pass(&one, f, token), 0);
	assert_int_equal(pass(&one, g, other), 0);
	assert_int_equal(sto_close_handle(&one, f), 0);
	assert_int_equal(sto_usage().handles, 3);
	sto_end(&guard);
	until_handles(1);
	assert_int_equal(take(&two, token, P2S_TAKE_FILE), -ENOENT);
	assert_int_equal(take(&two, other, P2S_TAKE_FILE), 0);
	assert_int_equal(pass(&one, g, other), 0);
	scomponent_revoke(sto, 1);
	until_handles(0);
	assert_int_equal(sto_admit(1), 0);
}

#define PASS_TEST(name) cmocka_unit_test_setup_teardown(name, pass_open, pass_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PASS_TEST(test_taken),	PASS_TEST(test_on_its_way), PASS_TEST(test_refused),
		PASS_TEST(test_bounds), PASS_TEST(test_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
