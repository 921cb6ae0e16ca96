/* Node daemon: the members of trees, how they come and go, and who may. */
#include "daemon_tree_rig.h"

static void forks(void **state)
{
	begin(0);
	assert_int_equal(member[0].has, ALL);
	assert_int_equal(storage_guards, 0);
	member_fork(&member[0], 16 * MB, &member[1]);
	assert_int_equal(member[1].id, 1);
	assert_int_equal(member[1].has, 16 * MB);
	assert_true(sum() <= ALL);
	rig_until(storage_guards == 1);
	member_fork(&member[1], 8 * MB, &member[2]);
	assert_int_equal(member[2].id, 2);
	assert_int_equal(members(), 3);
	assert_int_equal(processes(), 1);
	host_ends(&member[2]);
	rig_until(members() == 2);
	rig_until(n_left == 1 && n_left_storage == 1);
	assert_int_equal(left[0], 2);
	rig_until(!member[2].peer.rpc);
	rig_until(sum() == ALL); /* what it had is the others' */
	/* A number is never used again */
	member_fork(&member[0], 16 * MB, &member[2]);
	assert_int_equal(member[2].id, 3);
}

/* A shell that is gone leaves its background jobs; the tree ends with the last. */
static void leader_first(void **state)
{
	begin(0);
	member_fork(&member[0], 16 * MB, &member[1]);
	member_fork(&member[0], 16 * MB, &member[2]);
	host_ends(&member[0]);
	rig_until(members() == 2);
	assert_int_equal(processes(), 1);
	host_ends(&member[1]);
	rig_until(members() == 1);
	assert_int_equal(memory_guards, 1);
	rig_until(member[2].has == ALL);
	rig_hang_up(&member[2].peer);
	rig_until(processes() == 0);
	assert_int_equal(host_killed, 3);
	rig_until(memory_guards == 0 && storage_guards == 0);
	assert_non_null(command.rpc);
}

static void command_gone(void **state)
{
	begin(0);
	member_fork(&member[0], 16 * MB, &member[1]);
	assert_int_equal(ask_fork(&member[1], 0, &member[2]), -EAGAIN); /* all is in use */
	assert_int_equal(ask_fork(&member[1], MB, &member[2]), 0);
	rig_hang_up(&command);
	rig_until(processes() == 0);
	assert_int_equal(host_killed, 2);
	rig_until(!member[0].peer.rpc && !member[1].peer.rpc);
	member_connect(&member[2]); /* too late */
	assert_int_equal(member_hello(&member[2]), -ESRCH);
	member[2].id++;
	assert_int_equal(member_hello(&member[2]), -EACCES);
}

static void revoked(void **state)
{
	begin(0);
	member_fork(&member[0], 16 * MB, &member[1]);
	daemon_revoke(node, 1);
	assert_int_equal(host_killed, 2);
	assert_int_equal(processes(), 0);
}

/* Hang-up of one: that one is killed, and no other. */
static void one_hangs_up(void **state)
{
	begin(0);
	member_fork(&member[0], 16 * MB, &member[1]);
	rig_hang_up(&member[1].peer);
	rig_until(members() == 1);
	assert_int_equal(host_killed, 1);
	assert_int_equal(processes(), 1);
}

/* Named, and over before it came: by the dispatcher's word. */
static void unfork(void **state)
{
	const struct d2p_unfork_rep *rep = (void *)rig_answer.rep;
	struct d2p_unfork_req req = { .member = 1 };

	begin(0);
	assert_int_equal(ask_fork(&member[0], 16 * MB, &member[1]), 0);
	assert_int_equal(rig_ask(&member[0].peer, D2P_UNFORK, &req), 0);
	assert_int_equal(rep->excache_bytes, ALL);
	rig_until(n_left == 1);
	assert_int_equal(left[0], 1);
	assert_int_equal(rig_ask(&member[0].peer, D2P_UNFORK, &req), -ESRCH);
	member_connect(&member[1]);
	assert_int_equal(member_hello(&member[1]), -ESRCH);
	req.member = 0;
	assert_int_equal(rig_ask(&member[0].peer, D2P_UNFORK, &req), -EINVAL);
	rig_hang_up(&member[1].peer);
	member_fork(&member[0], 16 * MB, &member[1]);
	member_fork(&member[0], 16 * MB, &member[2]);
	req.member = 3;
	assert_int_equal(rig_ask(&member[1].peer, D2P_UNFORK, &req), -ESRCH); /* not one that it named */
	req.member = 2;
	assert_int_equal(rig_ask(&member[0].peer, D2P_UNFORK, &req), -ESRCH); /* it has come */
}

/* Whoever ends before the daemon has read its hello is over then, and not only when it is missed. */
static void ends_as_it_comes(void **state)
{
	begin(16 * MB);
	assert_int_equal(ask_fork(&member[0], 8 * MB, &member[1]), 0);
	host_next = -1;
	fire_and_go(&member[1]);
	rig_until(members() == 1);
	assert_int_equal(host_killed, 0);
	member[1].has = 0;
	rig_until(n_left == 1);
	/* Its number is somebody else's by now: he is not killed for it. */
	assert_int_equal(ask_fork(&member[0], 4 * MB, &member[1]), 0);
	host_next = member[1].pipe[0];
	fire_and_go(&member[1]);
	rig_until(members() == 1);
	assert_int_equal(host_killed, 0);
	member[1].has = 0;
	rig_until(n_left == 2);
	rig_until(member[0].has == 16 * MB);
}

/* The same process under a new number: its connection may end meanwhile, and its budget stays. */
static void exec(void **state)
{
	struct d2p_unfork_req req = { .member = 0 };

	begin(16 * MB);
	assert_int_equal(ask_fork(&member[0], 0, &member[0]), 0);
	assert_int_equal(member[0].id, 1);
	assert_int_equal(member[0].has, 16 * MB);
	assert_int_equal(ask_fork(&member[0], 0, &member[1]), -EBUSY);
	rig_hang_up(&member[0].peer);
	rig_run_ms(20);
	assert_int_equal(members(), 1);
	assert_int_equal(host_killed, 0);
	come(&member[0]);
	assert_int_equal(member[0].has, 16 * MB);
	rig_until(n_left == 1);
	assert_int_equal(left[0], 0);
	/* One that cannot be: it goes on as it was. */
	assert_int_equal(ask_fork(&member[0], 0, &member[0]), 0);
	req.member = member[0].id--;
	assert_int_equal(rig_ask(&member[0].peer, D2P_UNFORK, &req), 0);
	member_fork(&member[0], 8 * MB, &member[1]);
	assert_int_equal(member[1].id, 3);
	/* Before the old connection is seen to have ended */
	member[2] = member[1];
	assert_int_equal(ask_fork(&member[2], 0, &member[2]), 0);
	member[2].pipe[0] = 0;
	member[2].peer.rpc = NULL;
	come(&member[2]);
	rig_until(members() == 2);
	host_ends(&member[1]); /* the pidfd is the one from before */
	member[2].has = 0;
	rig_until(members() == 1);
	assert_int_equal(processes(), 1);
	rig_until(sum() == 16 * MB);
}

/* Nobody else's capability, no other number, no other process. */
static void hostile(void **state)
{
	struct d2p_fork_req odd = { .offer_bytes = MB, .exec = 1 };
	struct member liar;
	int status;
	pid_t pid;

	begin(0);
	assert_int_equal(rig_ask(&member[0].peer, D2P_FORK, &odd), -EINVAL);
	odd.exec = 2;
	assert_int_equal(rig_ask(&member[0].peer, D2P_FORK, &odd), -EINVAL);
	assert_int_equal(rig_ask(&command, D2P_FORK, &(struct d2p_fork_req){ 0 }), -EACCES);
	assert_int_equal(ask_fork(&member[0], 8 * MB, &member[1]), 0);
	liar = (struct member){ .cap = member[1].cap, .id = 2 };
	member_connect(&liar);
	assert_int_equal(member_hello(&liar), -EACCES);
	liar.id = 0;
	assert_int_equal(member_hello(&liar), -EACCES);
	liar.cap = member[0].cap;
	assert_int_equal(member_hello(&liar), -EBUSY);
	liar.id = 1;
	assert_int_equal(member_hello(&liar), -EACCES);
	rig_hang_up(&liar.peer);
	come(&member[1]);
	liar = (struct member){ .cap = member[1].cap, .id = 1 };
	member_connect(&liar);
	assert_int_equal(member_hello(&liar), -EBUSY);
	rig_hang_up(&liar.peer);
	/* More than it has: it keeps the least part, and no more is given than there is. */
	member[1].has = SHARE_FORKED_BYTES + UINT64_MAX / 2;
	assert_int_equal(ask_fork(&member[1], UINT64_MAX / 2, &member[2]), 0);
	assert_true(sum() <= ALL);
	/* Another process comes as what a member becomes. */
	assert_int_equal(ask_fork(&member[1], 0, &member[1]), 0);
	pid = fork();
	if (pid == 0) {
		struct d2p_hello_req req = { .cap = member[1].cap, .pid = 1, .member = member[1].id };
		struct net_options options = { 0 };
		struct net *net;
		struct rpc *rpc;

		if (net_open("local", &options, &net) || rpc_connect_sync(net, net_listener_addr(node_listener),
									  KIND_DISPATCHER, KIND_PROCESSOR, 1000, &rpc))
			_exit(100);
		_exit(-rpc_call_sync(rpc, D2P_HELLO, 1, 0, &req, NULL, 0, 1000, NULL, NULL, NULL));
	}
	rig_until(waitpid(pid, &status, WNOHANG) == pid);
	assert_int_equal(WEXITSTATUS(status), EACCES);
	assert_int_equal(members(), 2);
}

static void signals(void **state)
{
	begin(0);
	member_fork(&member[0], 16 * MB, &member[1]);
	member_fork(&member[0], 16 * MB, &member[2]);
	host_signals = 0;
	assert_int_equal(daemon_signal(node, 1, 15), 0);
	assert_int_equal(host_signals, 1);
	assert_int_equal(daemon_signal(node, 1, 9), 0);
	assert_int_equal(host_signals, 1 + 3 + 1); /* and the command is woken */
	host_ends(&member[0]);
	rig_until(members() == 2);
	host_signals = 0;
	assert_int_equal(daemon_signal(node, 1, 15), 0);
	assert_int_equal(host_signals, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(forks),	 TREE_TEST(leader_first), TREE_TEST(command_gone),     TREE_TEST(revoked),
		TREE_TEST(one_hangs_up), TREE_TEST(unfork),	  TREE_TEST(ends_as_it_comes), TREE_TEST(exec),
		TREE_TEST(hostile),	 TREE_TEST(signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
