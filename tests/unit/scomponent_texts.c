/* Storage monitor: what runs is not written to, and what is written to does not run, until the last connection has closed it. */
#include "scomponent_rig.h"

static struct sto_peer one, two;

static int texts_open(void **state)
{
	if (sto_open(state))
		return -1;
	sto_start(&one, 1);
	sto_start(&two, 2);
	sto_file("prog", "\177ELF and more");
	sto_file("script", "#!/bin/sh\n");
	return chmod(sto_path("prog"), 0755) || chmod(sto_path("script"), 0755) ||
	       link(sto_path("prog"), sto_path("same"));
}

static int texts_close(void **state)
{
	sto_end(&one);
	sto_end(&two);
	return sto_close(state);
}

static int exec(struct sto_peer *p, const char *path)
{
	struct p2s_exec_req req = { .at = sto_at(0, path, 0) };

	return sto_ask_tail(p, P2S_EXEC, &req, path, strlen(path));
}

static uint64_t runs(struct sto_peer *p, const char *path)
{
	assert_int_equal(exec(p, path), 0);
	return sto_rep(p2s_exec_rep)->handle;
}

static int truncate_at(struct sto_peer *p, const char *path)
{
	struct p2s_truncate_req req = { .at = sto_at(0, path, 0) };

	return sto_ask_tail(p, P2S_TRUNCATE, &req, path, strlen(path));
}

static void test_runs(void **state)
{
	uint64_t a = runs(&one, "prog"), b = runs(&two, "same");

	assert_int_equal(sto_openat(&two, 0, "prog", O_WRONLY, 0), -ETXTBSY);
	assert_int_equal(sto_openat(&two, 0, "same", O_RDWR | O_CREAT, 0644), -ETXTBSY);
	assert_int_equal(sto_openat(&two, 0, "prog", O_RDONLY | O_TRUNC, 0), -ETXTBSY);
	assert_int_equal(truncate_at(&two, "prog"), -ETXTBSY);
	assert_int_equal(sto_close_handle(&two, sto_handle(&two, "prog", O_RDONLY)), 0);
	assert_int_equal(sto_close_handle(&two, sto_handle(&two, "prog", O_PATH)), 0);
	assert_int_equal(sto_close_handle(&one, a), 0);
	assert_int_equal(sto_openat(&two, 0, "prog", O_WRONLY, 0), -ETXTBSY);
	assert_int_equal(sto_close_handle(&two, b), 0);
	sto_handle(&two, "prog", O_WRONLY);
	runs(&one, "script");
	sto_handle(&two, "script", O_WRONLY);
}

static void test_written(void **state)
{
	uint64_t w = sto_handle(&one, "prog", O_WRONLY), again;

	sto_handle(&one, "script", O_RDWR);
	assert_int_equal(exec(&two, "prog"), -ETXTBSY);
	assert_int_equal(exec(&two, "same"), -ETXTBSY);
	assert_int_equal(exec(&two, "script"), -ETXTBSY);
	again = sto_handle(&one, "same", O_WRONLY);
	assert_int_equal(sto_close_handle(&one, w), 0);
	assert_int_equal(exec(&two, "prog"), -ETXTBSY);
	assert_int_equal(sto_close_handle(&one, again), 0);
	runs(&two, "prog");
	sto_end(&one); /* with what it has open */
	rig_until(sto_usage().handles == 1);
	runs(&two, "script");
	sto_bind(&one, 1);
}

/* What waits for a member, or is on its way, does not count until somebody has it. */
static void test_waiting(void **state)
{
	struct p2s_pass_req pass = { .handle = sto_handle(&one, "prog", O_WRONLY), .token = { { 1, 2 } } };
	struct p2s_take_req take = { .token = pass.token };
	struct p2s_fork_req fork = { .member = 5 };
	uint64_t taken;

	assert_int_equal(sto_ask(&one, P2S_FORK, &fork), 0);
	assert_int_equal(sto_ask(&one, P2S_PASS, &pass), 0);
	assert_int_equal(exec(&two, "prog"), -ETXTBSY);
	assert_int_equal(sto_close_handle(&one, pass.handle), 0);
	assert_int_equal(sto_close_handle(&two, runs(&two, "prog")), 0);
	assert_int_equal(sto_ask(&one, P2S_TAKE, &take), 0);
	taken = sto_rep(p2s_take_rep)->handle;
	assert_int_equal(exec(&two, "prog"), -ETXTBSY);
	assert_int_equal(sto_close_handle(&one, taken), 0);
	runs(&two, "prog");
}

#define TEXT_TEST(name) cmocka_unit_test_setup_teardown(name, texts_open, texts_close)

int main(void)
{
	const struct CMUnitTest tests[] = { TEXT_TEST(test_runs), TEXT_TEST(test_written), TEXT_TEST(test_waiting) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
