/*
 * Storage monitor: record locks. Ranges split, joined and in each other's way; owners that end, fork, and become another
 * program; who waits for whom.
 */
#include <fcntl.h>
#include "scomponent_rig.h"

#define TO_END INT64_MAX

static struct sto_peer a, b, c;
static uint64_t fa, fb, fc;

static int lock_as(struct sto_peer *p, uint64_t h, uint32_t op, uint32_t type, uint64_t start, uint64_t end,
		   uint32_t ofd)
{
	struct p2s_lock_req req = {
		.handle = h, .start = start, .end = end, .op = op, .type = type, .ofd = ofd, .pid = 1000 + p->pid
	};

	return sto_ask(p, P2S_LOCK, &req);
}

static int set(struct sto_peer *p, uint64_t h, uint32_t type, uint64_t start, uint64_t end)
{
	return lock_as(p, h, P2S_LOCK_SET, type, start, end, 0);
}

static int wait_for(struct sto_peer *p, uint64_t h, uint64_t start, uint64_t end)
{
	return lock_as(p, h, P2S_LOCK_WAIT, F_WRLCK, start, end, 0);
}

/* What b would meet. */
static void expect(uint64_t start, uint64_t end, uint32_t type, uint64_t at, uint64_t to)
{
	assert_int_equal(lock_as(&b, fb, P2S_LOCK_GET, F_WRLCK, start, end, 0), 0);
	assert_int_equal(sto_rep(p2s_lock_rep)->type, type);
	if (type == F_UNLCK)
		return;
	assert_int_equal(sto_rep(p2s_lock_rep)->start, at);
	assert_int_equal(sto_rep(p2s_lock_rep)->end, to);
	assert_int_equal(sto_rep(p2s_lock_rep)->pid, 1001);
}

static int locks_open(void **state)
{
	if (sto_open(state))
		return -1;
	sto_file("f", "0123456789");
	sto_start(&a, 1);
	sto_start(&b, 2);
	sto_start(&c, 3);
	fa = sto_handle(&a, "f", O_RDWR);
	fb = sto_handle(&b, "f", O_RDWR);
	fc = sto_handle(&c, "f", O_RDWR);
	return 0;
}

static int locks_close(void **state)
{
	sto_end(&a);
	sto_end(&b);
	sto_end(&c);
	return sto_close(state);
}

static void test_ranges(void **state)
{
	assert_int_equal(set(&a, fa, F_WRLCK, 10, 19), 0);
	expect(0, 9, F_UNLCK, 0, 0);
	expect(0, 10, F_WRLCK, 10, 19);
	expect(20, TO_END, F_UNLCK, 0, 0);
	assert_int_equal(set(&b, fb, F_WRLCK, 19, 19), -EAGAIN);
	assert_int_equal(set(&b, fb, F_RDLCK, 19, 19), -EAGAIN);
	assert_int_equal(set(&a, fa, F_WRLCK, 20, 29), 0); /* joined */
	expect(25, 25, F_WRLCK, 10, 29);
	assert_int_equal(set(&a, fa, F_UNLCK, 15, 16), 0); /* split */
	expect(15, 16, F_UNLCK, 0, 0);
	expect(12, 12, F_WRLCK, 10, 14);
	expect(17, 17, F_WRLCK, 17, 29);
	assert_int_equal(set(&a, fa, F_RDLCK, 12, 18), 0); /* another type over both */
	expect(12, 16, F_RDLCK, 12, 18);
	expect(19, TO_END, F_WRLCK, 19, 29);
	assert_int_equal(set(&b, fb, F_RDLCK, 13, 14), 0); /* readers beside each other */
	assert_int_equal(set(&a, fa, F_WRLCK, 13, 13), -EAGAIN);
	assert_int_equal(set(&a, fa, F_WRLCK, 0, 12), 0);
	assert_int_equal(set(&b, fb, F_UNLCK, 0, TO_END), 0);
	assert_int_equal(set(&a, fa, F_WRLCK, 0, TO_END), 0);
	expect(1ull << 40, TO_END, F_WRLCK, 0, TO_END);
	assert_int_equal(set(&a, fa, F_UNLCK, 0, TO_END), 0);
	expect(0, TO_END, F_UNLCK, 0, 0);
}

/* Closing a handle is the dispatcher's affair, unless it was the file's last. */
static void test_open_files(void **state)
{
	uint64_t other = sto_handle(&a, "f", O_RDWR);

	assert_int_equal(lock_as(&a, fa, P2S_LOCK_SET, F_WRLCK, 0, 9, 1), 0);
	assert_int_equal(lock_as(&a, other, P2S_LOCK_SET, F_WRLCK, 5, 5, 1), -EAGAIN);
	assert_int_equal(set(&a, fa, F_WRLCK, 5, 5), -EAGAIN); /* the process is another owner than its open file */
	assert_int_equal(lock_as(&b, fb, P2S_LOCK_GET, F_RDLCK, 0, 0, 0), 0);
	assert_int_equal(sto_rep(p2s_lock_rep)->pid, UINT32_MAX);
	assert_int_equal(sto_close_handle(&a, fa), 0);
	assert_int_equal(lock_as(&a, other, P2S_LOCK_SET, F_WRLCK, 5, 5, 1), 0);
	assert_int_equal(sto_close_handle(&a, other), 0);
	expect(0, TO_END, F_UNLCK, 0, 0);
}

static void test_owner_ends(void **state)
{
	assert_int_equal(set(&a, fa, F_WRLCK, 0, 9), 0);
	assert_int_equal(set(&b, fb, F_WRLCK, 0, 9), -EAGAIN);
	sto_end(&a);
	rig_until(sto_usage().handles == 2);
	assert_int_equal(set(&b, fb, F_WRLCK, 0, 9), 0);
	scomponent_revoke(sto, 2);
	assert_int_equal(set(&c, fc, F_WRLCK, 0, 9), 0);
}

static void come(struct sto_peer *p, uint32_t pid, uint32_t member)
{
	struct cap tree = sto_cap(pid);
	struct p2s_hello_req req = { .cap = cap_of_member(&tree, member), .pid = pid, .member = member };

	sto_connect(p, pid);
	assert_int_equal(sto_ask(p, P2S_HELLO, &req), 0);
}

static void test_fork_and_exec(void **state)
{
	struct p2s_fork_req fork = { .member = 5 }, exec = { .member = 6, .exec = 1 };
	struct sto_peer child, next;

	assert_int_equal(set(&a, fa, F_WRLCK, 0, 4), 0);
	assert_int_equal(lock_as(&a, fa, P2S_LOCK_SET, F_WRLCK, 6, 9, 1), 0);
	assert_int_equal(sto_ask(&a, P2S_FORK, &fork), 0);
	come(&child, 1, 5);
	assert_int_equal(set(&child, fa, F_WRLCK, 0, 0), -EAGAIN);		  /* the parent's own */
	assert_int_equal(lock_as(&child, fa, P2S_LOCK_SET, F_WRLCK, 6, 9, 1), 0); /* the open file is both's */
	assert_int_equal(set(&child, fa, F_WRLCK, 20, 29), 0);

	assert_int_equal(sto_ask(&child, P2S_FORK, &exec), 0);
	come(&next, 1, 6); /* before or after the connection of what it was has closed: it has the locks */
	assert_int_equal(set(&b, fb, F_WRLCK, 20, 20), -EAGAIN);
	sto_end(&child);
	rig_run_ms(20);
	assert_int_equal(set(&b, fb, F_WRLCK, 20, 20), -EAGAIN);
	assert_int_equal(set(&next, fa, F_WRLCK, 20, 29), 0);

	exec.member = 7; /* one that fails: the locks stay */
	assert_int_equal(sto_ask(&next, P2S_FORK, &exec), 0);
	assert_int_equal(set(&next, fa, F_WRLCK, 20, 40), 0);
	exec.member = 8;
	assert_int_equal(sto_ask(&next, P2S_FORK, &exec), 0);
	sto_end(&next);
	rig_run_ms(20);
	assert_int_equal(set(&b, fb, F_WRLCK, 30, 30), -EAGAIN);
	come(&next, 1, 8);
	assert_int_equal(set(&next, fa, F_WRLCK, 20, 40), 0);
	sto_end(&next);
	rig_run_ms(20);
	assert_int_equal(set(&b, fb, F_WRLCK, 30, 30), 0);
	assert_int_equal(set(&b, fb, F_WRLCK, 0, 0), -EAGAIN); /* the first process has what it had */
}

static void test_deadlock(void **state)
{
	assert_int_equal(set(&a, fa, F_WRLCK, 0, 0), 0);
	assert_int_equal(set(&b, fb, F_WRLCK, 1, 1), 0);
	assert_int_equal(set(&c, fc, F_WRLCK, 2, 2), 0);
	assert_int_equal(wait_for(&a, fa, 1, 1), -EAGAIN);
	assert_int_equal(wait_for(&b, fb, 2, 2), -EAGAIN);
	assert_int_equal(wait_for(&c, fc, 0, 0), -EDEADLK);
	assert_int_equal(set(&c, fc, F_UNLCK, 2, 2), 0);
	assert_int_equal(wait_for(&b, fb, 2, 2), 0);
	assert_int_equal(set(&a, fa, F_UNLCK, 5, 5), 0); /* it does something else: it does not wait */
	assert_int_equal(wait_for(&b, fb, 0, 0), -EAGAIN);
	assert_int_equal(wait_for(&a, fa, 1, 1), -EDEADLK);
}

static void test_refused(void **state)
{
	uint64_t ro = sto_handle(&a, "f", O_RDONLY), wo = sto_handle(&a, "f", O_WRONLY),
		 path = sto_handle(&a, "f", O_PATH);

	assert_int_equal(set(&a, 99, F_WRLCK, 0, 0), -EBADF);
	assert_int_equal(set(&a, ro, F_WRLCK, 0, 0), -EBADF);
	assert_int_equal(set(&a, wo, F_RDLCK, 0, 0), -EBADF);
	assert_int_equal(set(&a, path, F_RDLCK, 0, 0), -EBADF);
	assert_int_equal(set(&a, fa, F_WRLCK, 1, 0), -EINVAL);
	assert_int_equal(set(&a, fa, F_WRLCK, 0, 1ull << 63), -EINVAL);
	assert_int_equal(set(&a, fa, 3, 0, 0), -EINVAL);
	assert_int_equal(lock_as(&a, fa, 3, F_WRLCK, 0, 0, 0), -EINVAL);
	assert_int_equal(lock_as(&a, fa, P2S_LOCK_GET, F_UNLCK, 0, 0, 0), -EINVAL);
	assert_int_equal(lock_as(&a, fa, P2S_LOCK_SET, F_WRLCK, 0, 0, 2), -EINVAL);
}

static void test_bounds(void **state)
{
	uint64_t i;

	for (i = 0; i < LOCKS_PER_TREE_MAX; i++)
		assert_int_equal(set(&a, fa, F_WRLCK, i * 2, i * 2), 0);
	assert_int_equal(set(&a, fa, F_WRLCK, i * 2, i * 2), -ENOLCK);
	assert_int_equal(set(&b, fb, F_WRLCK, i * 2, i * 2), 0); /* others have their own bound */
	assert_int_equal(set(&a, fa, F_UNLCK, 0, TO_END), 0);
	assert_int_equal(set(&a, fa, F_WRLCK, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ranges, locks_open, locks_close),
		cmocka_unit_test_setup_teardown(test_open_files, locks_open, locks_close),
		cmocka_unit_test_setup_teardown(test_owner_ends, locks_open, locks_close),
		cmocka_unit_test_setup_teardown(test_fork_and_exec, locks_open, locks_close),
		cmocka_unit_test_setup_teardown(test_deadlock, locks_open, locks_close),
		cmocka_unit_test_setup_teardown(test_refused, locks_open, locks_close),
		cmocka_unit_test_setup_teardown(test_bounds, locks_open, locks_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
