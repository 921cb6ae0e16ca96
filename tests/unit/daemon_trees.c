/*
 * Node daemon: trees. The test plays the dispatchers, and the components as far as a guard sees them. All members seem to
 * be this very process; each has a pipe of its own that says when it has ended.
 */
#include <sys/wait.h>
#include "daemon_rig.h"
#include "pcomponent/daemon/share.h"

#define MB (1UL << 20)
#define ALL (64 * MB)
#define PEERS 8

/* ---- components ---- */

static struct net_listener *memory_listener, *storage_listener;
static unsigned memory_guards, storage_guards;
static uint32_t left[16];
static unsigned n_left, n_left_storage;
static struct rpc *storage_guard;

static int memory_guard(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	memory_guards++;
	return 0;
}
static int memory_left(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	left[n_left++ % 16] = ((const struct p2m_left_req *)body)->member;
	return 0;
}
static void memory_closed(struct rpc *rpc, int err)
{
	memory_guards--;
}
static int take_storage_guard(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	storage_guards++;
	storage_guard = rpc_request_rpc(rq);
	return 0;
}
static int storage_left(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	n_left_storage++;
	return 0;
}
static void storage_closed(struct rpc *rpc, int err)
{
	storage_guards--;
}
static void memory_accept(void *arg, struct net_conn *conn)
{
	static const struct rpc_service service = {
		.handler = { [IDX_P2M_GUARD] = memory_guard, [IDX_P2M_LEFT] = memory_left }, .closed = memory_closed
	};
	struct rpc *rpc;

	assert_int_equal(rpc_open(rig_loop, conn, KIND_MEMORY, &service, NULL, &rig_counters, &rpc), 0);
}
static void storage_accept(void *arg, struct net_conn *conn)
{
	static const struct rpc_service service = {
		.handler = { [IDX_P2S_GUARD] = take_storage_guard, [IDX_P2S_LEFT] = storage_left },
		.closed = storage_closed
	};
	struct rpc *rpc;

	assert_int_equal(rpc_open(rig_loop, conn, KIND_STORAGE, &service, NULL, &rig_counters, &rpc), 0);
}

/* ---- members ---- */

/* A dispatcher as it sees itself. */
static struct member {
	struct rig_peer peer;
	struct cap cap;
	uint32_t id;
	uint64_t has, asked;
	unsigned asks;
	bool keeps;
	struct rpc_request *kept;
	int pipe[2];
} member[PEERS];
static struct cap storage_cap = { { 5, 5 } };

static uint64_t sum(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < PEERS; i++)
		n += member[i].has;
	return n;
}

static int budget(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	struct member *m = container_of((struct rig_peer *)rpc_ctx(rpc_request_rpc(rq)), struct member, peer);
	const struct d2p_budget_req *req = body;

	m->asks++;
	m->asked = req->excache_bytes;
	if (m->keeps) {
		m->kept = rq;
		return RPC_LATER;
	}
	m->has = m->asked;
	assert_true(sum() <= ALL);
	return 0;
}

static void member_connect(struct member *m)
{
	static const struct rpc_service service = { .handler = { [IDX_D2P_BUDGET] = budget }, .closed = rig_closed };
	struct net_conn *conn;

	assert_int_equal(net_connect(rig_net, net_listener_addr(node_listener), 1000, &conn), 0);
	assert_int_equal(rpc_open(rig_loop, conn, KIND_DISPATCHER, &service, &m->peer, &rig_counters, &m->peer.rpc), 0);
}

static int member_hello(struct member *m)
{
	const struct d2p_hello_rep *rep = (void *)rig_answer.rep;
	const struct placement_part *parts = (void *)rig_answer.tail;
	struct d2p_hello_req req = { .cap = m->cap, .pid = 1, .member = m->id };
	struct cap memory = mem_cap(1);
	int err;

	if (!m->pipe[0])
		assert_int_equal(pipe(m->pipe), 0);
	host_next = m->pipe[0];
	err = rig_ask(&m->peer, D2P_HELLO, &req);
	if (err)
		return err;
	if (m->id)
		assert_int_equal(rep->excache_bytes, m->has);
	m->has = rep->excache_bytes;
	assert_int_equal(rep->n_memory, m->id ? 0 : 1);
	if (!m->id) {
		assert_true(cap_equal(&parts[0].cap, &storage_cap));
		assert_true(cap_equal(&parts[1].cap, &memory));
	}
	return 0;
}

static int ask_fork(struct member *m, uint64_t offer, struct member *child)
{
	const struct d2p_fork_rep *rep = (void *)rig_answer.rep;
	const struct cap *caps = (void *)rig_answer.tail;
	struct d2p_fork_req req = { .offer_bytes = offer, .exec = m == child };
	struct cap memory = mem_cap(1), want;
	int err = rig_ask(&m->peer, D2P_FORK, &req);

	if (err)
		return err;
	child->cap = rep->cap;
	child->id = rep->member;
	child->has = rep->excache_bytes;
	want = cap_of_member(&storage_cap, child->id);
	assert_true(cap_equal(&caps[0], &want));
	want = cap_of_member(&memory, child->id);
	assert_true(cap_equal(&caps[1], &want));
	if (m != child)
		assert_true(rep->kept_bytes + offer >= m->has);
	m->has = rep->kept_bytes;
	return 0;
}

static void come(struct member *m)
{
	member_connect(m);
	assert_int_equal(member_hello(m), 0);
}

static void member_fork(struct member *m, uint64_t offer, struct member *child)
{
	assert_int_equal(ask_fork(m, offer, child), 0);
	come(child);
}

static void host_ends(struct member *m)
{
	m->has = 0;
	assert_int_equal(write(m->pipe[1], "x", 1), 1);
}

static uint32_t members(void)
{
	uint32_t pid = 1;
	struct process_usage row = { 0 };

	daemon_usage(node, &pid, 1, &row);
	return row.members;
}

/* ---- each test ---- */

static void begin(uint64_t promised)
{
	struct g2x_admit_req req = {
		.cap = node_cap(1), .pid = 1, .bytes = promised, .uid = getuid(), .n_memory = 1, .weight = 10
	};
	struct placement_part parts[2] = { { .name = "s0", .cap = storage_cap }, { .name = "m0" } };

	parts[1].cap = mem_cap(1);
	snprintf(parts[0].addr, ADDR_BYTES, "%s", net_listener_addr(storage_listener));
	snprintf(parts[1].addr, ADDR_BYTES, "%s", net_listener_addr(memory_listener));
	assert_int_equal(daemon_admit(node, &req, parts, 2), 0);
	assert_int_equal(announce(&command, 1, node_cap(1)), 0);
	member[0].cap = node_cap(1);
	come(&member[0]);
}

static int up(void **state)
{
	memset(member, 0, sizeof(member));
	memory_guards = storage_guards = n_left = n_left_storage = 0;
	return node_up(state) || net_listen(rig_net, "local:auto", memory_accept, NULL, &memory_listener) ||
	       net_listen(rig_net, "local:auto", storage_accept, NULL, &storage_listener);
}

static int down(void **state)
{
	for (unsigned i = 0; i < PEERS; i++) {
		if (member[i].kept)
			rpc_reply_later(member[i].kept, 0, NULL);
		rig_hang_up(&member[i].peer);
		if (member[i].pipe[0]) {
			close(member[i].pipe[0]);
			close(member[i].pipe[1]);
		}
	}
	rig_hang_up(&command);
	rig_until(processes() == 0);
	rig_until(memory_guards == 0 && storage_guards == 0);
	net_listener_close(memory_listener);
	net_listener_close(storage_listener);
	host_next = 0;
	return node_down(state);
}

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

static void fire_and_go(struct member *m)
{
	struct d2p_hello_req req = { .cap = m->cap, .pid = 1, .member = m->id };
	struct net_options options = { 0 };
	struct rpc_answer answer = { 0 };
	struct net *net;
	struct rpc *rpc;

	if (!m->pipe[0])
		assert_int_equal(pipe(m->pipe), 0);
	assert_int_equal(net_open("local", &options, &net), 0);
	assert_int_equal(rpc_connect_early(net, net_listener_addr(node_listener), KIND_DISPATCHER, KIND_PROCESSOR, 1000,
					   &rpc),
			 0);
	assert_int_equal(rpc_ask_sync(rpc, D2P_HELLO, 1, &req, 1000, &answer), 0);
	rpc_close(rpc);
	net_close(net);
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

#define t(fn) cmocka_unit_test_setup_teardown(fn, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(forks),
		t(leader_first),
		t(command_gone),
		t(revoked),
		t(one_hangs_up),
		t(unfork),
		t(ends_as_it_comes),
		t(forks_in_a_row),
		t(exec),
		t(hostile),
		t(limit),
		t(promise),
		t(lent),
		t(fork_while_asked),
		t(signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
