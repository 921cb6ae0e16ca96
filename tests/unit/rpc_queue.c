/*
 * Requests that wait (rpc_queue): who goes first, in which shares, and that nothing is lost, doubled or out of order. One
 * server and many clients on one loop; the order in which handlers are called is counted, no time is.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "ashlar/rpc.h"

#define CLIENTS_MAX 9
#define MANY 8
#define SERVED_MAX 4096

struct client {
	struct rpc *rpc, *served;     /* its two ends */
	unsigned done, failed, again; /* again: demand requests to be sent when one is answered */
};

static struct loop *loop;
static struct net *net;
static struct net_listener *listener;
static struct rpc_queue *queue;
static struct rpc_counters server_counters, client_counters;
static struct client client[CLIENTS_MAX];
static unsigned n_clients;

struct served {
	unsigned client;
	enum net_class class;
	uint64_t number; /* of the request, as the client says */
};
static struct served served[SERVED_MAX];
static unsigned n_served;
static struct rpc *close_in_handler;

static void enough(void *arg)
{
	loop_stop(loop);
}

static void run_ms(unsigned ms)
{
	struct loop_timer t = { .fn = enough };

	loop_timer_set(loop, &t, loop_now(loop) + ms * NS_PER_MS);
	assert_int_equal(loop_run(loop), 0);
	loop_timer_del(loop, &t);
}

/* ---- server: beats are background, ends are demand ---- */

static void note(struct rpc_request *rq, enum net_class class, uint64_t number)
{
	struct client *c = rpc_ctx(rpc_request_rpc(rq));

	assert_true(n_served < SERVED_MAX);
	served[n_served++] = (struct served){ (unsigned)(c - client), class, number };
	if (close_in_handler) {
		rpc_close(close_in_handler);
		close_in_handler = NULL;
	}
}

static int serve_beat(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	note(rq, NET_BACKGROUND, ((const struct x2g_beat_req *)body)->used_bytes);
	return 0;
}

static int serve_end(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	note(rq, NET_DEMAND, ((const struct x2g_end_req *)body)->pid);
	return 0;
}

static void server_closed(struct rpc *r, int err)
{
	((struct client *)rpc_ctx(r))->served = NULL;
}

static const struct rpc_service server_service = {
	.handler = { [IDX_X2G_BEAT] = serve_beat, [IDX_X2G_END] = serve_end },
	.closed = server_closed,
};

static void accepted(void *arg, struct net_conn *conn)
{
	struct client *c = &client[n_clients];

	assert_int_equal(rpc_open(loop, conn, KIND_GMM, &server_service, c, &server_counters, &c->served), 0);
	assert_int_equal(rpc_queue_join(c->served, queue), 0);
}

/* ---- clients ---- */

static void client_closed(struct rpc *r, int err)
{
	((struct client *)rpc_ctx(r))->rpc = NULL;
}

static void demand(struct client *c, uint64_t number);

static void done(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	struct client *c = arg;

	c->done++;
	c->failed += err != 0;
	if (c->again) {
		c->again--;
		demand(c, 0);
	}
}

static void background(struct client *c, uint64_t number)
{
	struct x2g_beat_req req = { .used_bytes = number };

	assert_int_equal(rpc_call(c->rpc, X2G_BEAT, 1, &req, NULL, 0, 0, done, c), 0);
}

static void demand(struct client *c, uint64_t number)
{
	struct x2g_end_req req = { .pid = (uint32_t)number };

	assert_int_equal(rpc_call(c->rpc, X2G_END, 1, &req, NULL, 0, 0, done, c), 0);
}

/* A connection of process pid. */
static struct client *client_new(uint32_t pid, unsigned weight)
{
	static const struct rpc_service service = { .closed = client_closed };
	struct client *c = &client[n_clients];
	struct net_conn *conn;

	assert_int_equal(net_connect(net, net_listener_addr(listener), 1000, &conn), 0);
	assert_int_equal(rpc_open(loop, conn, KIND_MEMORY, &service, c, &client_counters, &c->rpc), 0);
	run_ms(5);
	assert_non_null(c->served);
	n_clients++;
	assert_int_equal(rpc_queue_charge(c->served, pid, weight), 0);
	return c;
}

static int each_start(void **state)
{
	struct net_options opt = { 0 };

	log_open("test", LOG_ERROR);
	memset(client, 0, sizeof(client));
	n_clients = n_served = 0;
	assert_int_equal(loop_open(&loop), 0);
	opt.loop = loop;
	assert_int_equal(net_open("local", &opt, &net), 0);
	assert_int_equal(net_listen(net, "local:auto", accepted, NULL, &listener), 0);
	assert_int_equal(rpc_queue_open(loop, &queue), 0);
	return 0;
}

static int each_end(void **state)
{
	struct rpc_queue_stat s;

	for (unsigned i = 0; i < n_clients; i++)
		if (client[i].rpc)
			rpc_close(client[i].rpc);
	run_ms(5);
	rpc_queue_stat(queue, &s);
	assert_int_equal(s.waiting, 0);
	assert_int_equal(s.processes, 0);
	rpc_queue_close(queue);
	net_listener_close(listener);
	net_close(net);
	loop_close(loop);
	return 0;
}

static unsigned served_of(unsigned from, unsigned to, const struct client *c)
{
	unsigned n = 0;

	for (unsigned i = from; i < to; i++)
		n += served[i].client == (unsigned)(c - client);
	return n;
}

/* ---- tests ---- */

static void alone_at_once(void **state)
{
	struct client *c = client_new(1, WEIGHT_DEFAULT);
	struct rpc_queue_stat s;

	for (unsigned i = 0; i < 50; i++) {
		demand(c, i);
		while (n_served <= i) /* a busy machine may take longer for it */
			run_ms(1);
		run_ms(1); /* the turn is over */
	}
	rpc_queue_stat(queue, &s);
	assert_int_equal(s.at_once, 50);
	assert_int_equal(s.waited[NET_DEMAND], 0);
}

/* What is background and came first waits for what is demand and came later, but for the first of the turn. */
static void demand_before_background(void **state)
{
	struct client *b = client_new(1, WEIGHT_DEFAULT), *d = client_new(2, WEIGHT_DEFAULT);
	unsigned last = 0;

	for (unsigned i = 0; i < 30; i++)
		background(b, i);
	for (unsigned i = 0; i < 12; i++)
		demand(d, i);
	run_ms(20);
	assert_int_equal(n_served, 42);
	for (unsigned i = 0; i < n_served; i++)
		if (served[i].class == NET_DEMAND)
			last = i;
	assert_true(last <= 12);
	assert_int_equal(served_of(0, 13, d), 12);
}

/* ... but a little of it is served however much demand there is. */
static void none_starves(void **state)
{
	struct client *b = client_new(1, WEIGHT_DEFAULT), *d = client_new(2, WEIGHT_DEFAULT);
	unsigned at = 0;

	d->again = 1500;
	for (unsigned i = 0; i < 40; i++)
		demand(d, i);
	for (unsigned i = 0; i < 40; i++)
		background(b, i);
	run_ms(300);
	assert_int_equal(n_served, 1580);
	for (unsigned i = 0; i < n_served; i++)
		if (served[i].class == NET_BACKGROUND)
			at = i;
	assert_true(at < 41 * 17);
	assert_true(at > 40 * 8); /* and no more than a little */
}

static void by_weight(void **state)
{
	struct client *one = client_new(1, WEIGHT_DEFAULT), *three = client_new(2, 3 * WEIGHT_DEFAULT);

	for (unsigned i = 0; i < 30; i++) {
		demand(one, i);
		demand(three, i);
	}
	run_ms(20);
	assert_int_equal(n_served, 60);
	assert_in_range(served_of(1, 33, one), 7, 9);
	assert_in_range(served_of(1, 33, three), 23, 25);
}

/* Eight connections get a process no more than one. */
static void by_process(void **state)
{
	struct client *one = client_new(1, WEIGHT_DEFAULT), *many[MANY];
	unsigned all = 0;

	for (unsigned k = 0; k < MANY; k++)
		many[k] = client_new(2, WEIGHT_DEFAULT);
	for (unsigned i = 0; i < 40; i++) {
		demand(one, i);
		for (unsigned k = 0; k < MANY; k++)
			demand(many[k], i);
	}
	run_ms(50);
	assert_int_equal(n_served, 40 * (1 + MANY));
	assert_in_range(served_of(1, 65, one), 31, 33);
	for (unsigned k = 0; k < MANY; k++) {
		assert_in_range(served_of(1, 65, many[k]), 3, 5);
		all += served_of(1, 65, many[k]);
	}
	assert_in_range(all, 31, 33);
}

/* The least weight waits longest, and gets its share; so do requests that cost more than a round brings. */
static void by_least_weight(void **state)
{
	struct client *least = client_new(1, 1), *most = client_new(2, WEIGHT_MAX);

	for (unsigned i = 0; i < 60; i++)
		demand(most, i);
	for (unsigned i = 0; i < 3; i++)
		demand(least, i);
	run_ms(20);
	assert_int_equal(n_served, 63);
	assert_in_range(served_of(0, 60, least), 0, 1);
	assert_int_equal(served_of(0, 63, least), 3);
}

/* One connection's own requests stay in order, whatever their classes. */
static void order_kept(void **state)
{
	struct client *c = client_new(1, WEIGHT_DEFAULT), *other = client_new(2, WEIGHT_DEFAULT);
	uint64_t next[2] = { 0, 0 };

	for (unsigned i = 0; i < 40; i++) {
		(i % 3 ? background : demand)(c, i);
		(i % 5 ? demand : background)(other, i);
	}
	run_ms(20);
	assert_int_equal(n_served, 80);
	for (unsigned i = 0; i < n_served; i++)
		assert_int_equal(served[i].number, next[served[i].client]++);
	assert_int_equal(c->done + other->done, 80);
	assert_int_equal(c->failed + other->failed, 0);
	assert_int_equal(server_counters.malformed, 0);
}

/* A peer that hangs up: what it sent is done. One that is closed here: what waits is dropped, also from inside a handler. */
static void ends(void **state)
{
	struct client *c = client_new(1, WEIGHT_DEFAULT), *d = client_new(2, WEIGHT_DEFAULT);

	for (unsigned i = 0; i < 20; i++)
		background(c, i);
	rpc_close(c->rpc);
	c->rpc = NULL;
	run_ms(10);
	assert_int_equal(n_served, 20);
	assert_null(c->served);
	c = client_new(1, WEIGHT_DEFAULT);
	n_served = 0;
	for (unsigned i = 0; i < 20; i++) {
		background(c, i);
		demand(d, i);
	}
	close_in_handler = c->served; /* by whichever handler is called first */
	c->served = NULL;
	run_ms(10);
	assert_true(served_of(0, n_served, c) <= 1);
	assert_int_equal(served_of(0, n_served, d), 20);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, each_start, each_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(alone_at_once), t(demand_before_background), t(none_starves), t(by_weight),
		t(by_process),	  t(by_least_weight),	       t(order_kept),	t(ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
