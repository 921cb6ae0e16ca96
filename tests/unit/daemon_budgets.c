/*
 * Node daemon: the ExCache of 64 MB divided among dispatchers that the test plays. What must hold at every moment: the
 * sum of what dispatchers were told, and have not yet given back, is not above it.
 */
#include "daemon_rig.h"
#include "pcomponent/daemon/share.h"

#define MB (1UL << 20)
#define ALL (64 * MB)

/* A dispatcher: what it has by its own knowledge, and the change that it was asked for. */
static struct played {
	struct rig_peer peer, command;
	uint64_t has, asked;
	uint32_t pid;
	int answer; /* to smaller budgets */
	bool slow;  /* keeps the request */
	unsigned asks;
	struct rpc_request *kept;
	struct d2p_report_req told;
} played_process[60];

static void sum_holds(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < 60; i++)
		sum += played_process[i].has;
	assert_true(sum <= ALL);
}

static int budget(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	struct played *p = container_of((struct rig_peer *)rpc_ctx(rpc_request_rpc(rq)), struct played, peer);

	p->asks++;
	p->asked = ((const struct d2p_budget_req *)body)->excache_bytes;
	if (p->slow) {
		p->kept = rq;
		return RPC_LATER;
	}
	if (p->asked < p->has && p->answer)
		return p->answer;
	p->has = p->asked;
	sum_holds();
	return 0;
}

static const struct rpc_service dispatcher_service = { .handler = { [IDX_D2P_BUDGET] = budget }, .closed = rig_closed };

static void said_hello(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	struct played *p = arg;

	p->answer = err;
	if (!err)
		p->has = ((const struct d2p_hello_rep *)rep)->excache_bytes;
	sum_holds();
}

static void say_hello(struct played *p)
{
	struct d2p_hello_req req = { .cap = node_cap(p->pid), .pid = p->pid };

	p->answer = 1;
	assert_int_equal(rpc_call(p->peer.rpc, D2P_HELLO, 0, &req, NULL, 0, 20000, said_hello, p), 0);
}

/* As far as its first hello. */
static struct played *begin(uint32_t pid, uint64_t excache)
{
	struct played *p = &played_process[pid - 1];
	struct net_conn *conn;

	memset(p, 0, sizeof(*p));
	p->pid = pid;
	assert_int_equal(mem_admit(pid, 8), 0);
	assert_int_equal(admit(pid, excache, mem_addr), 0);
	assert_int_equal(announce(&p->command, pid, node_cap(pid)), 0);
	assert_int_equal(net_connect(rig_net, net_listener_addr(node_listener), 1000, &conn), 0);
	assert_int_equal(rpc_open(rig_loop, conn, KIND_DISPATCHER, &dispatcher_service, &p->peer, &rig_counters,
				  &p->peer.rpc),
			 0);
	say_hello(p);
	return p;
}

static struct played *run(uint32_t pid, uint64_t excache)
{
	struct played *p = begin(pid, excache);

	rig_until(p->answer <= 0);
	assert_int_equal(p->answer, 0);
	return p;
}

static void end(struct played *p)
{
	uint32_t n = processes();

	p->has = 0;
	rig_hang_up(&p->peer);
	rig_hang_up(&p->command);
	rig_until(processes() < n);
}

static void each_end(void)
{
	for (unsigned i = 0; i < 60; i++) {
		rig_hang_up(&played_process[i].peer);
		rig_hang_up(&played_process[i].command);
		played_process[i].has = 0;
	}
}

static int down(void **state)
{
	each_end();
	return node_down(state);
}

static void tell(struct played *p, uint64_t weight, uint64_t resident, bool registered)
{
	p->told.weight_bytes = weight;
	p->told.resident_bytes = resident;
	p->told.registered = registered;
	p->told.faults += registered ? 100 : 0;
	assert_int_equal(rig_ask(&p->peer, D2P_REPORT, &p->told), 0);
}

static void alone_and_two(void **state)
{
	struct played *a = run(1, 0), *b;

	assert_int_equal(a->has, ALL);
	b = run(2, 0); /* neither has told anything: halves */
	assert_int_equal(a->has, ALL / 2);
	assert_int_equal(b->has, ALL / 2);
	end(b);
	rig_until(a->has == ALL);
	assert_int_equal(a->asks, 2);
}

/* Who wants all gets what the other does not want. */
static void demand(void **state)
{
	struct played *a = run(1, 0), *b = run(2, 0);

	tell(b, 2 * MB, 0, false);
	tell(a, 100 * MB, a->has, true);
	rig_until(a->has > 58 * MB);
	assert_true(b->has >= 2 * MB + MB / 2);
	tell(b, 100 * MB, b->has, true);
	rig_until(b->has >= 28 * MB);
	assert_true(a->has >= 28 * MB);
}

static void promised_stays(void **state)
{
	struct played *a = run(1, 0), *b = run(2, 40 * MB);

	assert_int_equal(b->has, 40 * MB);
	rig_until(a->has == 24 * MB);
	tell(a, 100 * MB, a->has, true);
	rig_run_ms(600);
	assert_int_equal(b->has, 40 * MB);
	assert_int_equal(b->asks, 0);
}

/* A process that starts waits for what others give back, and grows no faster than they do. */
static void waits_for_the_slow(void **state)
{
	struct played *a = run(1, 0), *b;

	a->slow = true;
	b = begin(2, 0);
	rig_until(a->kept);
	assert_int_equal(a->asked, ALL / 2);
	rig_run_ms(700);
	assert_int_equal(b->answer, 1);
	assert_int_equal(b->has, 0);
	a->has = a->asked;
	a->slow = false;
	rpc_reply_later(a->kept, 0, NULL);
	a->kept = NULL;
	rig_until(b->answer == 0);
	assert_int_equal(b->has, ALL / 2);
}

/* One that cannot shrink keeps what it has; the other is told to ask again, and starts when there is room. */
static void cannot_shrink(void **state)
{
	struct played *a = run(1, 0), *b;

	a->answer = -ENOMEM;
	b = begin(2, 0);
	rig_until(b->answer <= 0);
	assert_int_equal(b->answer, -EAGAIN);
	assert_int_equal(a->has, ALL);
	assert_int_equal(a->asks, 1);
	say_hello(b);
	end(a);
	rig_until(b->answer == 0);
	assert_int_equal(b->has, ALL);
}

/* Fifty at once: each starts, each has its fair part, and the last one gets everything in the end. */
static void fifty(void **state)
{
	struct played *p[50];
	uint64_t least = ALL, most = 0;

	for (uint32_t i = 0; i < 50; i++)
		p[i] = begin(i + 1, 0);
	for (uint32_t i = 0; i < 50; i++)
		rig_until(p[i]->answer == 0);
	for (uint32_t round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < 50; i++)
			tell(p[i], 10 * MB, p[i]->has, true);
		rig_run_ms(300);
	}
	for (uint32_t i = 0; i < 50; i++) {
		least = p[i]->has < least ? p[i]->has : least;
		most = p[i]->has > most ? p[i]->has : most;
	}
	assert_true(least >= SHARE_LEAST_BYTES);
	assert_true(most <= 2 * least);
	for (uint32_t i = 1; i < 50; i++)
		end(p[i]);
	rig_until(p[0]->has == ALL);
}

static void no_lies(void **state)
{
	struct played *a = run(1, 0), *b = run(2, 0);
	struct d2p_report_req req = { .weight_bytes = UINT64_MAX, .resident_bytes = UINT64_MAX, .faults = 1 };

	assert_int_equal(rig_ask(&a->peer, D2P_REPORT, &req), 0);
	rig_run_ms(400);
	assert_true(b->has >= SHARE_LEAST_BYTES);
	req.registered = 2;
	assert_int_equal(rig_ask(&a->peer, D2P_REPORT, &req), -EINVAL);
	req.registered = 1;
	assert_int_equal(rig_ask(&a->command, D2P_REPORT, &req), -EACCES);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, node_up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(alone_and_two), t(demand), t(promised_stays), t(waits_for_the_slow),
		t(cannot_shrink), t(fifty),  t(no_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
