/*
 * Order and shares in the relay: its scheduler by itself, over a fabric that holds transfers back and lets them end one by
 * one. What was posted is counted in its order; no time is.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "ashlar/base/log.h"
#include "net/core/provider.h"
#include "net/relay/serve.h"

#define USERS_MAX 9u
#define POSTED_MAX 8192u
#define MANY 8u

/* ---- the fabric ---- */

struct posted {
	struct net_data *data;
	uint64_t user, cookie; /* user: the offset says who it is */
	uint32_t bytes;
};
static struct posted posted[POSTED_MAX];
static unsigned n_posted, n_ended;
static struct net_data *ended_on;
static uint64_t ended_cookie;
static uint32_t lower_max; /* most bytes under way of the classes below demand */
static uint8_t memory[RELAY_CHUNK];

static int fake_data_open(struct net_conn *conn, enum net_class class, struct net_data **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static void fake_data_close(struct net_data *d)
{
	free(d);
}

static int fake_transfer(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
			 uint64_t total, uint64_t cookie)
{
	uint32_t lower = 0;

	assert_true(n_posted < POSTED_MAX);
	assert_true(total <= RELAY_CHUNK);
	posted[n_posted++] = (struct posted){ d, off / RELAY_CHUNK, cookie, (uint32_t)total };
	for (unsigned i = n_ended; i < n_posted; i++)
		lower += posted[i].data->class == NET_DEMAND ? 0 : posted[i].bytes;
	lower_max = lower > lower_max ? lower : lower_max;
	return 0;
}

static int fake_poll(struct net_data *d, struct net_completion *c, int n)
{
	if (d != ended_on)
		return 0;
	*c = (struct net_completion){ .cookie = ended_cookie };
	ended_on = NULL;
	return 1;
}

static void *fake_mr_addr(const struct net_mr *mr)
{
	return memory;
}

static const struct net_provider provider = {
	.data_open = fake_data_open,
	.data_close = fake_data_close,
	.read = fake_transfer,
	.write = fake_transfer,
	.data_poll = fake_poll,
	.mr_addr = fake_mr_addr,
};
static struct net rack = { .ops = &provider };

/* The oldest transfer ends. False: there is none. */
static bool end_one(void)
{
	const struct posted *p = &posted[n_ended];

	if (n_ended == n_posted)
		return false;
	n_ended++;
	ended_on = p->data;
	ended_cookie = p->cookie;
	p->data->ready(p->data->ready_arg);
	return true;
}

/* ---- who uses it ---- */

struct user {
	struct rclient client;
	struct rconn conn;
	struct net_conn rack;
	struct net_remote remote;
	struct rremote rremote;
};
static struct user user[USERS_MAX];
static unsigned n_users;
static struct relay relay;
static struct net_mr mr = { .net = &rack, .bytes = RELAY_CHUNK };
static struct rregion region = { .mr = &mr, .bytes = RELAY_CHUNK };

/* A connection of process host_pid of this machine. */
static struct user *user_new(int32_t host_pid)
{
	struct rwho who = charge_who(&relay, host_pid);
	struct user *u = &user[n_users++];

	u->client = (struct rclient){ .r = &relay, .host_pid = host_pid };
	u->rack.net = &rack;
	u->remote = (struct net_remote){ .net = &rack, .bytes = USERS_MAX * RELAY_CHUNK };
	u->rremote.remote = &u->remote;
	u->conn = (struct rconn){ .c = &u->client, .rack = &u->rack, .flow = rflow_get(&relay, "component", &who) };
	assert_non_null(u->conn.flow);
	for (unsigned i = 0; i < NET_CLASSES; i++) {
		rlane_init(&u->conn.lane[i], &u->conn, (enum net_class)i);
		assert_int_equal(rlane_open(&u->conn.lane[i]), 0);
	}
	return u;
}

static void want(struct user *u, enum net_class class, uint32_t bytes, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		struct rio *io = calloc(1, sizeof(*io) + sizeof(io->part[0]));

		assert_non_null(io);
		*io = (struct rio){ .lane = &u->conn.lane[class],
				    .remote = &u->rremote,
				    .off = (uint64_t)(u - user) * RELAY_CHUNK,
				    .total = bytes,
				    .n = 1 };
		io->part[0].region = &region;
		io->part[0].bytes = bytes;
		region.users++;
		u->rremote.users++;
		list_init(&io->link);
		list_init(&io->mine);
		rio_queue(io);
	}
}

static void begin(void)
{
	schedule(&relay, user[0].conn.flow->target);
}

static void end_all(void)
{
	while (end_one())
		;
}

static unsigned count(unsigned from, unsigned to, const struct user *u, unsigned class)
{
	unsigned n = 0;

	assert_true(to <= n_posted);
	for (unsigned i = from; i < to; i++)
		n += (!u || posted[i].user == (uint64_t)(u - user)) && posted[i].data->class == class;
	return n;
}

static int each_start(void **state)
{
	memset(&relay, 0, sizeof(relay));
	memset(user, 0, sizeof(user));
	n_users = n_posted = n_ended = lower_max = 0;
	list_init(&relay.targets);
	list_init(&relay.charges);
	assert_int_equal(loop_open(&relay.loop), 0);
	rack.opt.loop = relay.loop;
	return 0;
}

static int each_end(void **state)
{
	end_all();
	for (unsigned i = 0; i < n_users; i++) {
		for (unsigned k = 0; k < NET_CLASSES; k++)
			rlane_end(&user[i].conn.lane[k], -EPIPE);
		rflow_put(user[i].conn.flow);
		assert_int_equal(user[i].rremote.users, 0);
	}
	assert_int_equal(region.users, 0);
	assert_true(list_empty(&relay.targets));
	charges_end(&relay);
	loop_close(relay.loop);
	return 0;
}

/* ---- tests ---- */

/* Demand that comes late finds at most RELAY_LOWER bytes before it; background goes before repair. */
static void by_class(void **state)
{
	struct user *bulk = user_new(1), *misses = user_new(2);

	want(bulk, NET_REPAIR, RELAY_CHUNK, 4);
	want(bulk, NET_BACKGROUND, RELAY_CHUNK, 4);
	begin();
	assert_int_equal(n_posted, RELAY_LOWER / RELAY_CHUNK);
	assert_int_equal(count(0, n_posted, NULL, NET_BACKGROUND), n_posted);
	want(misses, NET_DEMAND, PAGE_BYTES, 8);
	begin();
	assert_int_equal(n_posted, RELAY_LOWER / RELAY_CHUNK + 8);
	assert_int_equal(count(0, n_posted, misses, NET_DEMAND), 8);
	end_all();
	assert_int_equal(n_posted, 16);
	assert_int_equal(count(0, 12, NULL, NET_REPAIR), 0);
	assert_int_equal(lower_max, RELAY_LOWER);
}

/* However much demand there is: one piece of each class that waits after RELAY_TRICKLE bytes. */
static void none_starves(void **state)
{
	struct user *bulk = user_new(1), *misses = user_new(2);
	unsigned at;

	want(misses, NET_DEMAND, PAGE_BYTES, 1024);
	want(bulk, NET_BACKGROUND, RELAY_CHUNK, 100);
	want(bulk, NET_REPAIR, RELAY_CHUNK, 100);
	begin();
	while (end_one() && count(0, n_posted, NULL, NET_DEMAND) < 1024)
		;
	at = n_posted;
	assert_in_range(count(0, at, NULL, NET_BACKGROUND), 14, 17);
	assert_in_range(count(0, at, NULL, NET_REPAIR), 14, 19);
}

static void by_weight(void **state)
{
	struct user *ten, *thirty;

	assert_int_equal(relay_charge(&relay, 1, 71, 10), 0);
	assert_int_equal(relay_charge(&relay, 2, 72, 30), 0);
	ten = user_new(1);
	thirty = user_new(2);
	for (unsigned class = NET_DEMAND; class < NET_CLASSES; class ++) {
		unsigned from = n_posted;

		want(ten, (enum net_class) class, RELAY_CHUNK, 100);
		want(thirty, (enum net_class) class, RELAY_CHUNK, 100);
		begin();
		while (n_posted < from + 80)
			assert_true(end_one());
		assert_in_range(count(from, from + 80, ten, class), 18, 22);
		assert_in_range(count(from, from + 80, thirty, class), 58, 62);
		end_all();
		assert_int_equal(n_posted, from + 200);
	}
}

/* A process of the rack gets no more by eight connections, not even from several processes of the machine. */
static void by_process(void **state)
{
	struct user *one = user_new(1), *many[MANY];
	unsigned all = 0;

	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(relay_charge(&relay, (int32_t)(10 + i / 2), 7, WEIGHT_DEFAULT), 0);
		many[i] = user_new((int32_t)(10 + i / 2));
		want(many[i], NET_DEMAND, PAGE_BYTES, 100);
	}
	want(one, NET_DEMAND, PAGE_BYTES, 800);
	begin();
	while (n_posted < 160 * 2)
		assert_true(end_one());
	for (unsigned i = 0; i < MANY; i++)
		all += count(0, 320, many[i], NET_DEMAND);
	assert_in_range(all, 152, 168);
	assert_in_range(count(0, 320, one, NET_DEMAND), 152, 168);
}

/* Who is charged no more is a process by itself again. */
static void charges(void **state)
{
	struct user *a, *b, *c;

	assert_int_equal(relay_charge(&relay, 1, 7, 10), 0);
	assert_int_equal(relay_charge(&relay, 1, 7, 20), 0);
	assert_int_equal(charge_who(&relay, 1).weight, 20);
	assert_int_equal(charge_who(&relay, 1).pid, 7);
	a = user_new(1);
	b = user_new(2);
	relay_uncharge(&relay, 1);
	relay_uncharge(&relay, 1);
	c = user_new(1);
	assert_ptr_not_equal(a->conn.flow, b->conn.flow);
	assert_ptr_not_equal(a->conn.flow, c->conn.flow);
	assert_int_equal(a->conn.flow->who.weight, 20);
	assert_int_equal(c->conn.flow->who.weight, WEIGHT_DEFAULT);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, each_start, each_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(by_class), t(none_starves), t(by_weight), t(by_process), t(charges),
	};

	log_open("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
