/*
 * Storage monitor: processes of one tree. Files that are set aside for a member are its own when it comes, whatever became
 * of who set them aside, and are closed when it never does.
 */
#include <sys/file.h>
#include "scomponent_rig.h"

static struct sto_peer parent, child, guard;

static int fork_open(void **state)
{
	if (sto_open(state))
		return -1;
	sto_start(&parent, 1);
	sto_file("f", "0123456789");
	sto_mkdir("d");
	return 0;
}

static int fork_close(void **state)
{
	sto_end(&parent);
	return sto_close(state);
}

static int fork_ids(struct sto_peer *p, uint32_t member, const uint64_t *ids, uint32_t n)
{
	struct p2s_fork_req req = { .member = member, .n = n };

	return sto_ask_tail(p, P2S_FORK, &req, ids, n * sizeof(*ids));
}

static int hello_as(struct sto_peer *p, uint32_t pid, uint32_t member, uint32_t cap_of)
{
	struct cap tree = sto_cap(pid);
	struct p2s_hello_req req = { .cap = cap_of_member(&tree, cap_of), .pid = pid, .member = member };

	return sto_ask(p, P2S_HELLO, &req);
}

static void come(struct sto_peer *p, uint32_t member, uint32_t files)
{
	sto_connect(p, 1);
	assert_int_equal(hello_as(p, 1, member, member), 0);
	assert_int_equal(sto_rep(p2s_hello_rep)->files, files);
	assert_int_equal(sto_buffer(p, BUFFER_BYTES), 0);
}

static void guard_come(void)
{
	struct p2s_guard_req req = { .cap = sto_cap(1), .pid = 1 };

	memset(&guard, 0, sizeof(guard));
	guard.pid = 1;
	rig_connect(&guard.p, net_listener_addr(sto_listener), KIND_PROCESSOR);
	assert_int_equal(sto_ask(&guard, P2S_GUARD, &req), 0);
}

static int left(uint32_t member)
{
	struct p2s_left_req req = { .member = member };

	return sto_ask(&guard, P2S_LEFT, &req);
}

static void until_handles(uint64_t n)
{
	rig_until(sto_usage().handles == n);
}

static int lock(struct sto_peer *p, uint64_t h, uint32_t op)
{
	struct p2s_flock_req req = { .handle = h, .op = op };

	return sto_ask(p, P2S_FLOCK, &req);
}

static void test_same_files(void **state)
{
	uint64_t f = sto_handle(&parent, "f", O_RDWR), gone = sto_handle(&parent, "f", O_RDONLY);
	uint64_t d = sto_handle(&parent, "d", O_RDONLY | O_DIRECTORY), other, mine;

	assert_int_equal(sto_close_handle(&parent, gone), 0);
	assert_int_equal(fork_ids(&parent, 5, NULL, 0), 0);
	assert_int_equal(sto_rep(p2s_fork_rep)->files, 2);
	assert_int_equal(sto_usage().handles, 4);
	other = sto_handle(&parent, "f", O_RDWR); /* after the fork: not the child's */
	come(&child, 5, 2);
	assert_int_equal(sto_usage().handles, 5);
	assert_int_equal(sto_read(&child, f, 3, 0, 4), 0);
	assert_memory_equal(sto_buf(&child), "3456", 4);
	assert_int_equal(sto_mkdirat(&child, d, "made"), 0);
	assert_int_equal(sto_read(&child, gone, 0, 0, 4), -EBADF);
	assert_int_equal(sto_read(&child, other, 0, 0, 4), -EBADF);

	/* one open file description: its flock is both's, until both have closed it */
	assert_int_equal(lock(&parent, f, LOCK_EX), 0);
	assert_int_equal(lock(&child, f, LOCK_EX), 0);
	assert_int_equal(lock(&parent, other, LOCK_EX), -EWOULDBLOCK);
	assert_int_equal(sto_close_handle(&parent, f), 0);
	assert_int_equal(lock(&parent, other, LOCK_EX), -EWOULDBLOCK);
	assert_int_equal(sto_read(&child, f, 0, 0, 4), 0);
	assert_int_equal(sto_close_handle(&child, f), 0);
	assert_int_equal(lock(&parent, other, LOCK_EX), 0);

	/* numbers of new files do not meet old ones */
	mine = sto_handle(&child, "f", O_RDONLY);
	assert_true(mine != f && mine != d);
	assert_int_equal(sto_read(&child, mine, 0, 0, 4), 0);
	sto_end(&child);
	until_handles(2);
}

/* The parent ends first; a grandchild gets what the child has. */
static void test_survives(void **state)
{
	uint64_t f = sto_handle(&parent, "f", O_RDWR);
	struct sto_peer grandchild;

	assert_int_equal(fork_ids(&parent, 5, &f, 1), 0);
	sto_end(&parent);
	until_handles(1);
	come(&child, 5, 1);
	assert_int_equal(fork_ids(&child, 6, NULL, 0), 0);
	sto_end(&child);
	until_handles(1);
	come(&grandchild, 6, 1);
	assert_int_equal(sto_read(&grandchild, f, 9, 0, 1), 0);
	assert_memory_equal(sto_buf(&grandchild), "9", 1);
	/* a second connection of the member brings no files */
	come(&child, 6, 0);
	sto_end(&child);
	sto_end(&grandchild);
	until_handles(0);
}

static void test_several_requests(void **state)
{
	uint64_t f[3] = { sto_handle(&parent, "f", O_RDWR), sto_handle(&parent, "f", O_RDONLY),
			  sto_handle(&parent, "d", O_RDONLY) };

	assert_int_equal(fork_ids(&parent, 5, f + 2, 1), 0);
	assert_int_equal(fork_ids(&parent, 5, f, 1), 0);
	assert_int_equal(fork_ids(&parent, 5, f, 1), 0); /* twice the same: once */
	come(&child, 5, 2);
	assert_int_equal(sto_usage().handles, 5);
	assert_int_equal(sto_read(&child, f[0], 0, 0, 4), 0);
	assert_int_equal(sto_read(&child, f[1], 0, 0, 4), -EBADF);
	assert_int_equal(fork_ids(&parent, 5, f, 1), -EEXIST);
	sto_end(&child);
	until_handles(3);
}

static void test_left(void **state)
{
	uint64_t f = sto_handle(&parent, "f", O_RDWR);

	guard_come();
	assert_int_equal(fork_ids(&parent, 5, &f, 1), 0);
	assert_int_equal(fork_ids(&parent, 6, &f, 1), 0);
	assert_int_equal(sto_usage().handles, 3);
	assert_int_equal(left(5), 0);
	assert_int_equal(sto_usage().handles, 2);
	assert_int_equal(left(5), 0);
	assert_int_equal(left(77), 0);
	come(&child, 5, 0); /* nothing waits for it any more */
	assert_int_equal(left(5), 0);
	assert_int_equal(sto_read(&parent, f, 0, 0, 4), 0);
	sto_end(&guard); /* and with it all that waits */
	until_handles(1);
	assert_int_equal(sto_read(&parent, f, 0, 0, 4), 0);
	come(&guard, 6, 0);
	sto_end(&guard);
	sto_end(&child);
}

static void test_revoked(void **state)
{
	uint64_t f = sto_handle(&parent, "f", O_RDWR);

	guard_come();
	assert_int_equal(fork_ids(&parent, 5, &f, 1), 0);
	scomponent_revoke(sto, 1);
	until_handles(0);
	sto_connect(&child, 1);
	assert_int_equal(hello_as(&child, 1, 5, 5), -EACCES);
	sto_end(&child);
	sto_end(&guard);
}

/* A member shows its own capability, and no other's. */
static void test_capabilities(void **state)
{
	struct p2s_guard_req g = { .cap = sto_cap(1), .pid = 1 };
	struct p2s_left_req l = { .member = 5 };

	sto_connect(&child, 1);
	assert_int_equal(hello_as(&child, 1, 5, 0), -EACCES);
	assert_int_equal(hello_as(&child, 1, 0, 5), -EACCES);
	assert_int_equal(hello_as(&child, 1, 5, 6), -EACCES);
	assert_int_equal(sto_ask(&child, P2S_GUARD, &g), -EACCES); /* a dispatcher guards nothing */
	assert_int_equal(sto_ask(&child, P2S_LEFT, &l), -EACCES);
	assert_int_equal(fork_ids(&child, 6, NULL, 0), -EACCES);
	assert_int_equal(hello_as(&child, 1, 5, 5), 0);
	assert_int_equal(hello_as(&child, 1, 5, 5), -EEXIST);
	assert_int_equal(sto_ask(&child, P2S_LEFT, &l), -EACCES);
	sto_end(&child);

	guard_come();
	assert_int_equal(sto_ask(&guard, P2S_GUARD, &g), -EBUSY);
	assert_int_equal(fork_ids(&guard, 6, NULL, 0), -EACCES); /* and a guard has no files */
	assert_int_equal(sto_openat(&guard, 0, "f", O_RDONLY, 0), -EACCES);
	assert_int_equal(hello_as(&guard, 1, 0, 0), -EACCES);
	l.reserved0 = 1;
	assert_int_equal(sto_ask(&guard, P2S_LEFT, &l), -EINVAL);
	guard.pid = 2;
	l.reserved0 = 0;
	assert_int_equal(sto_ask(&guard, P2S_LEFT, &l), -EACCES);
	memset(&child, 0, sizeof(child));
	child.pid = 1;
	rig_connect(&child.p, net_listener_addr(sto_listener), KIND_PROCESSOR);
	g.cap.w[0]++;
	assert_int_equal(sto_ask(&child, P2S_GUARD, &g), -EACCES);
	g.cap.w[0]--;
	assert_int_equal(sto_ask(&child, P2S_GUARD, &g), -EBUSY); /* one for each tree */
	g.reserved0 = 1;
	assert_int_equal(sto_ask(&child, P2S_GUARD, &g), -EINVAL);
	sto_end(&child);
	sto_end(&guard);
}

static void test_refused(void **state)
{
	uint64_t f = sto_handle(&parent, "f", O_RDWR), ids[2] = { f, f + 1 };
	struct p2s_fork_req req = { .member = 5, .n = 2 };

	assert_int_equal(fork_ids(&parent, 0, &f, 1), -EINVAL);
	assert_int_equal(fork_ids(&parent, 5, ids, 2), -EBADF);
	assert_int_equal(sto_ask_tail(&parent, P2S_FORK, &req, ids, 8), -EINVAL);
	req.n = 0x20000001; /* times 8: the tail's length, cut to 32 bits */
	assert_int_equal(sto_ask_tail(&parent, P2S_FORK, &req, ids, 8), -EINVAL);
	req.n = 0;
	assert_int_equal(sto_ask_tail(&parent, P2S_FORK, &req, ids, 8), -EINVAL);
	assert_int_equal(sto_usage().handles, 1); /* nothing was set aside by any of these */
	come(&child, 5, 0);
	sto_end(&child);
}

static void test_bounds(void **state)
{
	uint64_t ids[1000];
	uint32_t i, n = 0;
	int err;

	for (i = 0; i < 1000; i++)
		ids[i] = sto_handle(&parent, "f", O_RDONLY);
	for (i = 1; i <= MEMBERS_MAX; i++)
		assert_int_equal(fork_ids(&parent, i, ids, 1), 0);
	assert_int_equal(fork_ids(&parent, i, ids, 1), -EAGAIN);
	assert_int_equal(fork_ids(&parent, MEMBERS_MAX, ids + 1, 1), 0); /* it is among them */
	while (!(err = fork_ids(&parent, 1, ids, 1000)))
		n++;
	assert_int_equal(err, -ENFILE);
	assert_int_equal(n, (FILES_PER_PROCESS_MAX - 1) / 1000);
	for (i = 2; !(err = fork_ids(&parent, i, ids, 1000));)
		i += ++n % 65 == 0;
	assert_int_equal(err, -ENFILE); /* of the tree */
	assert_true(sto_usage().handles <= FILES_PER_TREE_MAX);
	assert_int_equal(sto_openat(&parent, 0, "f", O_RDONLY, 0) ? -ENFILE : 0,
			 sto_usage().handles >= FILES_PER_TREE_MAX ? -ENFILE : 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_files, fork_open, fork_close),
		cmocka_unit_test_setup_teardown(test_survives, fork_open, fork_close),
		cmocka_unit_test_setup_teardown(test_several_requests, fork_open, fork_close),
		cmocka_unit_test_setup_teardown(test_left, fork_open, fork_close),
		cmocka_unit_test_setup_teardown(test_revoked, fork_open, fork_close),
		cmocka_unit_test_setup_teardown(test_capabilities, fork_open, fork_close),
		cmocka_unit_test_setup_teardown(test_refused, fork_open, fork_close),
		cmocka_unit_test_setup_teardown(test_bounds, fork_open, fork_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
