/* Node daemon: what the members of a tree have of the ExCache, when they fork and when they end. */
#include "daemon_tree_rig.h"

/* One after another: the parent is not worn down by what its children leave. */
static void forks_in_a_row(void **state)
{
	int err;

	begin(16 * MB);
	for (unsigned i = 0; i < 30; i++) {
		while ((err = ask_fork(&member[0], member[0].has / 2, &member[1])) == -EBUSY)
			rig_run_ms(1);
		assert_int_equal(err, 0);
		assert_true(member[1].has >= 3 * MB && member[0].has >= 3 * MB);
		assert_true(sum() <= 16 * MB);
		host_next = -1;
		fire_and_go(&member[1]);
		member[1].has = 0;
		rig_until(members() == 1);
	}
}

/* Hundreds, then no more, until one has ended. */
static void limit(void **state)
{
	struct d2p_unfork_req req = { .member = 1 };
	unsigned n = 0;

	begin(0);
	while (n < 2000 && ask_fork(&member[0], 0, &member[1]) == 0)
		n++;
	assert_int_equal(n, 0); /* nothing was offered, and nothing is free */
	member[0].has = 0;
	while (n < 2000 && ask_fork(&member[0], SHARE_FORKED_BYTES / 2, &member[1]) == -EAGAIN)
		n++;
	assert_int_equal(n, 2000);
	for (n = 0; n < 2000 && ask_fork(&member[0], SHARE_FORKED_BYTES, &member[1]) == 0; n++)
		;
	assert_int_equal(n, ALL / SHARE_FORKED_BYTES - 1);
	assert_int_equal(rig_ask(&member[0].peer, D2P_UNFORK, &req), 0);
	assert_int_equal(ask_fork(&member[0], SHARE_FORKED_BYTES, &member[1]), 0);
	assert_int_equal(ask_fork(&member[0], SHARE_FORKED_BYTES, &member[1]), -EAGAIN);
}

/* A promise is the tree's: divided, and no more, but for the least parts that others lend. */
static void promise(void **state)
{
	struct d2p_report_req told = { .weight_bytes = 64 * MB, .registered = 1, .resident_bytes = 4 * MB };
	uint64_t begun;

	begin(4 * MB);
	member_fork(&member[0], 2 * MB, &member[1]);
	assert_int_equal(sum(), 4 * MB);
	/* One is hungry, and does not wait for long. */
	assert_int_equal(rig_ask(&member[0].peer, D2P_REPORT, &(struct d2p_report_req){ .weight_bytes = MB / 4 }), 0);
	rig_run_ms(300);
	told.faults = 10;
	begun = clock_ns();
	assert_int_equal(rig_ask(&member[1].peer, D2P_REPORT, &told), 0);
	rig_until(member[1].has > 2 * MB);
	assert_true(clock_ns() - begun < 150 * NS_PER_MS);
	assert_true(member[0].has >= SHARE_FORKED_BYTES);
	assert_int_equal(sum(), 4 * MB);
	host_ends(&member[1]);
	rig_until(member[0].has == 4 * MB);
}

static void lent(void **state)
{
	begin(SHARE_LEAST_BYTES);
	for (unsigned i = 1; i < 6; i++)
		member_fork(&member[0], i < 4 ? SHARE_FORKED_BYTES : 0, &member[i]);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(member[i].has, SHARE_FORKED_BYTES);
	rig_run_ms(300);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(member[i].asks, 0);
	for (unsigned i = 1; i < 6; i++)
		host_ends(&member[i]);
	rig_until(member[0].has == SHARE_LEAST_BYTES);
}

/* While a change of the budget is under way nobody knows what the process has: it asks again, and nothing was done. */
static void fork_while_asked(void **state)
{
	const struct d2p_unfork_rep *rep = (void *)rig_answer.rep;
	struct d2p_unfork_req req = { 0 };

	begin(0);
	member_fork(&member[0], 32 * MB, &member[1]);
	assert_int_equal(ask_fork(&member[0], 8 * MB, &member[2]), 0);
	req.member = member[2].id;
	member[0].keeps = true;
	rig_hang_up(&member[1].peer);
	member[1].has = 0;
	rig_until(member[0].kept);
	assert_true(member[0].asked > 24 * MB && member[0].asked <= 56 * MB);
	assert_int_equal(ask_fork(&member[0], 8 * MB, &member[3]), -EBUSY);
	assert_int_equal(rig_ask(&member[0].peer, D2P_UNFORK, &req), 0);
	assert_int_equal(rep->excache_bytes, 24 * MB);
	member[2].has = 0;
	member[0].has = member[0].asked;
	member[0].keeps = false;
	rpc_reply_later(member[0].kept, 0, NULL);
	member[0].kept = NULL;
	rig_until(member[0].has == ALL);
	member_fork(&member[0], 8 * MB, &member[3]);
	assert_true(sum() <= ALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(forks_in_a_row),   TREE_TEST(limit), TREE_TEST(promise), TREE_TEST(lent),
		TREE_TEST(fork_while_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
