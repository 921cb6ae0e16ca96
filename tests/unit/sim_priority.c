/*
 * Classes of traffic on a link with a bandwidth, in virtual time: background and repair at full rate, in both directions,
 * at most double the p99 of a 4 KB read on demand. Where a provider ignores the classes they do far worse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "net/sim/sim.h"

#define READS 2000u
#define REGION (1u << 20)
#define BULK (64u << 10) /* of one transfer of the other classes */
#define IN_FLIGHT 8u

struct side {
	struct sim_node *node;
	struct net *net;
	struct net_pd *pd;
	struct net_mr *mr;
};

static struct {
	struct side owner, user;
	struct net_key key[3];
	bool bulk, over, accepted;
	unsigned at_work;
	uint64_t bulk_done;
	uint64_t ns[READS];
	struct net_listener *listener;
	struct net_conn *far;
} t;

static void fails_not(int err)
{
	if (err)
		log_bug(__FILE__, __LINE__, strerror(-err));
}

static void side_open(struct side *s, const char *name, unsigned machine, bool loop)
{
	s->node = sim_node_open(name, machine);
	fails_not(sim_net_open(s->node, loop, &s->net));
	fails_not(net_pd_open(s->net, &s->pd));
	fails_not(net_mr_alloc(s->pd, REGION, true, &s->mr));
}

static void side_close(struct side *s)
{
	net_mr_free(s->mr);
	net_pd_close(s->pd);
	net_close(s->net);
}

static void on_message(void *arg, const void *buf, size_t len)
{
}
static void on_closed(void *arg, int err)
{
}
static const struct net_conn_events events = { .message = on_message, .closed = on_closed };

static void accepted(void *arg, struct net_conn *conn)
{
	t.far = conn;
	fails_not(net_conn_set_events(conn, &events, NULL));
	for (unsigned i = 0; i < 3; i++)
		fails_not(net_mr_grant(t.owner.mr, conn, NET_READ | NET_WRITE, &t.key[i]));
	t.accepted = true;
}

static void owner_begin(void *arg, uint64_t v)
{
	fails_not(net_listen(t.owner.net, "sim:owner", accepted, NULL, &t.listener));
}

struct bulk {
	struct net_conn *conn;
	struct net_remote *remote;
	enum net_class class;
};

/* As much as the link takes, writing and reading by turns, so that both directions are full. */
static void bulk_main(void *arg)
{
	struct bulk *b = arg;
	struct net_sge sge = { net_mr_addr(t.user.mr), BULK, t.user.mr };
	struct net_completion c;
	struct net_data *d;
	unsigned under_way = 0;

	fails_not(net_data_open(b->conn, b->class, &d));
	for (uint64_t n = 0; !t.over; n++) {
		if (n % 2)
			fails_not(net_read(d, b->remote, 0, &sge, 1, n));
		else
			fails_not(net_write(d, b->remote, 0, &sge, 1, n));
		under_way++;
		while (under_way >= IN_FLIGHT) {
			fails_not(net_data_wait(d, sim_now() + NS_PER_S));
			while (net_data_poll(d, &c, 1)) {
				under_way--;
				t.bulk_done++;
			}
		}
	}
	net_data_close(d);
	t.at_work--;
}

static void reads_do(struct net_conn *conn, struct net_remote *remote)
{
	struct net_sge sge = { net_mr_addr(t.user.mr), PAGE_BYTES, t.user.mr };
	struct net_data *d;

	fails_not(net_data_open(conn, NET_DEMAND, &d));
	for (unsigned i = 0; i < READS; i++) {
		uint64_t begin = sim_now();

		fails_not(net_read_sync(d, remote, sim_below(REGION / PAGE_BYTES) * PAGE_BYTES, &sge, 1,
					begin + NS_PER_S));
		t.ns[i] = sim_now() - begin;
		sim_sleep(sim_below(20000));
	}
	net_data_close(d);
}

static void user_main(void *arg)
{
	struct net_remote *remote[3];
	struct net_conn *conn;
	struct bulk bulk[2];

	fails_not(net_connect(t.user.net, "sim:owner", 1000, &conn));
	while (!t.accepted)
		sim_sleep(NS_PER_MS);
	for (unsigned i = 0; i < 3; i++)
		fails_not(net_remote_open(conn, &t.key[i], REGION, &remote[i]));
	for (unsigned i = 0; i < 2 && t.bulk; i++) {
		bulk[i] = (struct bulk){ conn, remote[1 + i], i ? NET_REPAIR : NET_BACKGROUND };
		t.at_work++;
		sim_spawn(t.user.node, bulk_main, &bulk[i]);
	}
	sim_sleep(NS_PER_MS);
	reads_do(conn, remote[0]);
	t.over = true;
	while (t.at_work)
		sim_sleep(NS_PER_MS);
	for (unsigned i = 0; i < 3; i++)
		net_remote_close(remote[i]);
	net_conn_close(conn);
	side_close(&t.user);
	sim_node_end(t.user.node);
}

static void owner_reap(void *arg)
{
	net_conn_close(t.far);
	net_listener_close(t.listener);
	side_close(&t.owner);
}

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* p99 of the reads in ns */
static uint64_t p99(bool bulk, bool no_classes)
{
	struct sim_config c = {
		.seed = 1,
		.latency_ns = 5000,
		.bytes_per_us = 1000,
		.break_ns = NS_PER_S,
		.window_bytes = 1 << 20,
		.no_classes = no_classes,
	};

	memset(&t, 0, sizeof(t));
	t.bulk = bulk;
	sim_open(&c);
	side_open(&t.owner, "owner", 0, true);
	side_open(&t.user, "user", 1, false);
	sim_node_on_death(t.owner.node, owner_reap, NULL);
	sim_node_post(t.owner.node, owner_begin, NULL, 0);
	sim_spawn(t.user.node, user_main, NULL);
	sim_run();
	sim_node_kill(t.owner.node);
	sim_run();
	sim_close();
	qsort(t.ns, READS, sizeof(t.ns[0]), ascending);
	return t.ns[READS * 99 / 100];
}

static void demand_before_background_and_repair(void **state)
{
	uint64_t alone = p99(false, false), beside = p99(true, false), bulk_done = t.bulk_done, broken;

	broken = p99(true, true);
	printf("p99 of a 4 KB read: alone %lu ns, beside background and repair %lu ns, without classes %lu ns\n",
	       (unsigned long)alone, (unsigned long)beside, (unsigned long)broken);
	assert_true(alone > 14000);
	assert_true(bulk_done > 500); /* they are not starved */
	assert_true(beside <= 2 * alone);
	assert_true(broken > 2 * alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(demand_before_background_and_repair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
