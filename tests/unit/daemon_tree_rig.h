/*
 * For tests of trees at the node daemon: the test plays the dispatchers, and the components as far as a guard sees them. All
 * members seem to be this very process; each has a pipe of its own that says when it has ended.
 */
#ifndef ASHLAR_TESTS_DAEMON_TREE_RIG_H
#define ASHLAR_TESTS_DAEMON_TREE_RIG_H
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

static inline int memory_guard(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	memory_guards++;
	return 0;
}
static inline int memory_left(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	left[n_left++ % 16] = ((const struct p2m_left_req *)body)->member;
	return 0;
}
static inline void memory_closed(struct rpc *rpc, int err)
{
	memory_guards--;
}
static inline int take_storage_guard(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	storage_guards++;
	storage_guard = rpc_request_rpc(rq);
	return 0;
}
static inline int storage_left(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	n_left_storage++;
	return 0;
}
static inline void storage_closed(struct rpc *rpc, int err)
{
	storage_guards--;
}
static inline void memory_accept(void *arg, struct net_conn *conn)
{
	static const struct rpc_service service = {
		.handler = { [IDX_P2M_GUARD] = memory_guard, [IDX_P2M_LEFT] = memory_left }, .closed = memory_closed
	};
	struct rpc *rpc;

	assert_int_equal(rpc_open(rig_loop, conn, KIND_MEMORY, &service, NULL, &rig_counters, &rpc), 0);
}
static inline void storage_accept(void *arg, struct net_conn *conn)
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

static inline uint64_t sum(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < PEERS; i++)
		n += member[i].has;
	return n;
}

static inline int budget(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
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

static inline void member_connect(struct member *m)
{
	static const struct rpc_service service = { .handler = { [IDX_D2P_BUDGET] = budget }, .closed = rig_closed };
	struct net_conn *conn;

	assert_int_equal(net_connect(rig_net, net_listener_addr(node_listener), 1000, &conn), 0);
	assert_int_equal(rpc_open(rig_loop, conn, KIND_DISPATCHER, &service, &m->peer, &rig_counters, &m->peer.rpc), 0);
}

static inline int member_hello(struct member *m)
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

static inline int ask_fork(struct member *m, uint64_t offer, struct member *child)
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

static inline void come(struct member *m)
{
	member_connect(m);
	assert_int_equal(member_hello(m), 0);
}

static inline void member_fork(struct member *m, uint64_t offer, struct member *child)
{
	assert_int_equal(ask_fork(m, offer, child), 0);
	come(child);
}

static inline void host_ends(struct member *m)
{
	m->has = 0;
	assert_int_equal(write(m->pipe[1], "x", 1), 1);
}

static inline uint32_t members(void)
{
	uint32_t pid = 1;
	struct process_usage row = { 0 };

	daemon_usage(node, &pid, 1, &row);
	return row.members;
}

/* ---- each test ---- */

static inline void begin(uint64_t promised)
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

static inline int up(void **state)
{
	memset(member, 0, sizeof(member));
	memory_guards = storage_guards = n_left = n_left_storage = 0;
	return node_up(state) || net_listen(rig_net, "local:auto", memory_accept, NULL, &memory_listener) ||
	       net_listen(rig_net, "local:auto", storage_accept, NULL, &storage_listener);
}

static inline int down(void **state)
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

static inline void fire_and_go(struct member *m)
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

#define TREE_TEST(fn) cmocka_unit_test_setup_teardown(fn, up, down)

#endif
