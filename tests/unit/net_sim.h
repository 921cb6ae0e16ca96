/*
 * The tests of net.h on the simulated fabric: a group of them runs on a coroutine of a simulated node, and the owner is
 * another node. What they call of the host (the clock, usleep) is linked to virtual time (Makefile: SIM_WRAP).
 */
#ifndef ASHLAR_TESTS_NET_SIM_H
#define ASHLAR_TESTS_NET_SIM_H
#include "net/sim/sim.h"
#include "net_owner_serve.h"

static inline bool fabric_is_sim(const char *fabric)
{
	return strcmp(fabric, "sim") == 0;
}

struct sim_owner {
	struct sim_node *node;
	struct owner_state state;
	struct net_listener *listener;
};

static inline void sim_owner_begin(void *arg, uint64_t v)
{
	struct sim_owner *o = arg;

	if (sim_net_open(o->node, true, &o->state.net) || net_pd_open(o->state.net, &o->state.pd) ||
	    net_listen(o->state.net, "sim:auto", owner_accepted, &o->state, &o->listener))
		abort();
}

static inline void sim_owner_reap(void *arg)
{
	struct sim_owner *o = arg;

	for (uint32_t i = 0; i < o->state.n; i++)
		if (o->state.mr[i])
			net_mr_free(o->state.mr[i]);
	net_listener_close(o->listener);
	net_pd_close(o->state.pd);
	net_close(o->state.net);
	free(o);
}

static inline struct sim_owner *sim_owner_start(char *addr, pid_t *pid)
{
	struct sim_owner *o = calloc(1, sizeof(*o));

	o->node = sim_node_open("owner", 0);
	sim_node_on_death(o->node, sim_owner_reap, o);
	sim_node_post(o->node, sim_owner_begin, o, 0);
	while (!o->listener)
		sim_sleep(NS_PER_MS);
	strcpy(addr, net_listener_addr(o->listener));
	*pid = sim_node_pid(o->node);
	return o;
}

static inline void sim_owner_end(struct sim_owner *o)
{
	sim_sleep(50 * NS_PER_MS); /* the ends of connections reach it */
	sim_node_kill(o->node);
	sim_sleep(NS_PER_MS);
}

struct sim_group {
	const struct CMUnitTest *tests;
	size_t n;
	CMFixtureFunction start, end;
	int failed;
};

static inline void sim_group_main(void *arg)
{
	struct sim_group *g = arg;

	g->failed = _cmocka_run_group_tests("sim", g->tests, g->n, g->start, g->end);
	sim_node_end(sim_node_self());
}

static inline int sim_group_run(const struct CMUnitTest *tests, size_t n, CMFixtureFunction start,
				CMFixtureFunction end)
{
	struct sim_config c = { .seed = 1,
				.local_any = true,
				.latency_ns = 2000,
				.jitter_ns = 2000,
				.break_ns = NS_PER_S,
				.window_bytes = 256 << 10 };
	struct sim_group g = { tests, n, start, end, 0 };
	struct sim_node *node;

	sim_open(&c);
	node = sim_node_open("tester", 1);
	sim_spawn(node, sim_group_main, &g);
	sim_run();
	sim_close();
	return g.failed;
}

#endif
