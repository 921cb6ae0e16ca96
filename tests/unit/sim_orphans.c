/*
 * The storage monitor and processes whose gmm is gone, in virtual time: one without a connection is forgotten after a
 * while; one with a connection, and one that a new gmm knows, stay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "net/sim/sim.h"
#include "scomponent/scomponent.h"

#define IDLE 7u	 /* process that never comes */
#define KNOWN 8u /* the same, but admitted again by the next gmm */
#define BUSY 9u	 /* process that is there until it hangs up */

static struct {
	struct sim_node *node, *user;
	struct net *net;
	struct rpc_counters counters;
	struct net_listener *listener;
	struct scomponent *s;
	char dir[32];
	uint64_t seen[4];
} t;

static void fails_not(int err)
{
	if (err)
		log_bug(__FILE__, __LINE__, strerror(-err));
}

static struct g2x_admit_req admission(uint32_t pid)
{
	return (struct g2x_admit_req){ .cap = { { pid, pid } }, .pid = pid, .uid = geteuid(), .gid = getegid() };
}

static void accepted(void *arg, struct net_conn *conn)
{
	scomponent_accepted(t.s, conn);
}

static void begin(void *arg, uint64_t v)
{
	struct scomponent_config cfg = { .root = t.dir };

	list_init(&t.counters.lobby.waiting);
	fails_not(scomponent_open(sim_node_loop(t.node), t.net, &t.counters, &cfg, &t.s));
	fails_not(net_listen(t.net, "sim:sto", accepted, NULL, &t.listener));
	for (uint32_t pid = IDLE; pid <= BUSY; pid++) {
		struct g2x_admit_req req = admission(pid);

		fails_not(scomponent_admit(t.s, &req));
	}
}

static void lose_gmm(void *arg, uint64_t v)
{
	scomponent_gmm_lost(t.s);
}

static void admit_again(void *arg, uint64_t v)
{
	struct g2x_admit_req req = admission(KNOWN);

	(void)!scomponent_admit(t.s, &req); /* -EEXIST: it is here */
}

static void look(unsigned i)
{
	struct scomponent_usage u;

	scomponent_usage(t.s, &u);
	t.seen[i] = u.processes;
}

static void user_main(void *arg)
{
	struct p2s_hello_req req = { .cap = { { BUSY, BUSY } }, .pid = BUSY };
	struct p2s_hello_rep rep;
	struct net *net;
	struct rpc *rpc;

	sim_sleep(NS_PER_S);
	fails_not(sim_net_open(t.user, false, &net));
	fails_not(rpc_connect_sync(net, "sim:sto", KIND_DISPATCHER, KIND_STORAGE, 1000, &rpc));
	fails_not(rpc_call_sync(rpc, P2S_HELLO, BUSY, 1, &req, NULL, 0, 1000, &rep, NULL, NULL));
	sim_node_post(t.node, lose_gmm, NULL, 0);
	sim_sleep(NS_PER_S);
	sim_node_post(t.node, admit_again, NULL, 0);
	look(0);
	sim_sleep(40 * NS_PER_S);
	look(1);
	rpc_close(rpc);
	sim_sleep(5 * NS_PER_S); /* as long as an execve takes at most */
	look(2);
	sim_sleep(40 * NS_PER_S);
	look(3);
	net_close(net);
	sim_node_end(t.user);
	sim_node_kill(t.node);
}

static void reap(void *arg)
{
	scomponent_close(t.s);
	net_listener_close(t.listener);
	net_close(t.net);
}

static void orphans_are_forgotten(void **state)
{
	struct sim_config c = { .seed = 1, .latency_ns = 1000, .break_ns = NS_PER_S, .window_bytes = 1 << 18 };

	strcpy(t.dir, "/tmp/ashlar-sim-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	sim_open(&c);
	t.node = sim_node_open("sto", 0);
	t.user = sim_node_open("user", 1);
	fails_not(sim_net_open(t.node, true, &t.net));
	sim_node_on_death(t.node, reap, NULL);
	sim_node_post(t.node, begin, NULL, 0);
	sim_spawn(t.user, user_main, NULL);
	sim_run();
	sim_close();
	assert_int_equal(rmdir(t.dir), 0);
	assert_int_equal(t.seen[0], 3);
	assert_int_equal(t.seen[1], 2); /* IDLE is gone */
	assert_int_equal(t.seen[2], 2);
	assert_int_equal(t.seen[3], 1); /* BUSY is gone, KNOWN is not */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orphans_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
