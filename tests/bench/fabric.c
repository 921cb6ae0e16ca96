/*
 * fabric [PAIRS]: what each fabric costs between two processes: a one-sided read of 4 KB and a message of 64 bytes there
 * and back, from an owner that sleeps in its loop (on the reader's core, on another) and from one that never sleeps (on
 * another core); then what it costs to open the fabric, a protection domain, a connection, a data connection. Fabrics
 * and targets take turns in each pair; every page read is checked.
 */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/loop.h"
#include "ashlar/net.h"
#include "tests/programs/say.h"

#define PAGES 1024u /* 4 MB */
#define STEPS 400u  /* of each kind in a pair */
#define ROUND_BYTES 64u
#define FIVE_S 5000000000u

static const char *const fabrics[] = { "local", "ofi:tcp", "ofi:net" };
#define FABRICS (sizeof(fabrics) / sizeof(fabrics[0]))
enum target { SLEEPS_HERE, SLEEPS_THERE, SPINS, TARGETS };
static const char *const targets[] = { "target sleeps, same core", "target sleeps, other core",
				       "target spins, other core" };

static void pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* ---- the owner ---- */

static struct net_options owner_options;
static struct net *owner_net;
static struct net_pd *owner_pd;
static struct net_conn *owner_conn;
static struct loop_timer never;

static void owner_asked(void *arg, const void *buf, size_t len)
{
	struct net_mr *mr;
	struct net_key key;

	(void)arg;
	if (len > 1) {
		if (net_send(owner_conn, buf, len))
			_exit(1);
		return;
	}
	if (net_mr_alloc(owner_pd, PAGES * PAGE_BYTES, false, &mr) ||
	    net_mr_grant(mr, owner_conn, NET_READ | NET_WRITE, &key) || net_send(owner_conn, &key, sizeof(key)))
		_exit(1);
}

static void owner_closed(void *arg, int err)
{
	(void)arg;
	(void)err;
	net_conn_close(owner_conn);
}

static void owner_writable(void *arg)
{
	(void)arg;
}

static void owner_accepted(void *arg, struct net_conn *conn)
{
	static const struct net_conn_events events = { owner_asked, owner_closed, owner_writable };

	owner_conn = conn;
	if (net_conn_set_events(conn, &events, arg))
		_exit(1);
}

static void owner_again(void *arg)
{
	loop_timer_set(arg, &never, loop_now(arg));
}

static void owner_main(const char *fabric, enum target target, int here, int there, int ready)
{
	struct net_listener *l;
	char addr[ADDR_BYTES];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(target == SLEEPS_HERE ? here : there);
	snprintf(addr, sizeof(addr), "%s:auto", fabric);
	if (loop_open(&owner_options.loop) || net_open(fabric, &owner_options, &owner_net) ||
	    net_pd_open(owner_net, &owner_pd) || net_listen(owner_net, addr, owner_accepted, NULL, &l) ||
	    write(ready, net_listener_addr(l), ADDR_BYTES) < 0)
		_exit(1);
	close(ready);
	never.fn = owner_again;
	never.arg = owner_options.loop;
	if (target == SPINS)
		owner_again(owner_options.loop);
	loop_run(owner_options.loop);
	_exit(1);
}

/* ---- the reader ---- */

struct client {
	pid_t owner;
	char addr[ADDR_BYTES];
	struct net *net;
	struct net_conn *conn;
	struct net_data *data;
	struct net_remote *remote;
};
static uint64_t *page_buf;

static void transfer(struct client *c, uint64_t page, bool write)
{
	struct net_sge s = { .addr = page_buf, .bytes = PAGE_BYTES };
	uint64_t deadline = now_ns() + FIVE_S;

	MUST(!(write ? net_write_sync : net_read_sync)(c->data, c->remote, page * PAGE_BYTES, &s, 1, deadline));
}

static void receive(struct client *c, void *buf, long len)
{
	uint64_t deadline = now_ns() + FIVE_S;
	long n;

	while ((n = net_recv(c->conn, buf, (size_t)len)) == -EAGAIN)
		MUST(!net_conn_wait(c->conn, deadline));
	MUST(n == len);
}

static void client_open(struct client *c, const char *fabric, enum target target, int here, int there)
{
	struct net_options o = { 0 };
	struct net_key key;
	int p[2];

	MUST(!pipe(p));
	c->owner = fork();
	if (!c->owner)
		owner_main(fabric, target, here, there, p[1]);
	close(p[1]);
	MUST(read(p[0], c->addr, sizeof(c->addr)) == sizeof(c->addr));
	close(p[0]);
	MUST(!net_open(fabric, &o, &c->net) && !net_connect(c->net, c->addr, 5000, &c->conn));
	MUST(!net_send(c->conn, "", 1));
	receive(c, &key, sizeof(key));
	MUST(!net_remote_open(c->conn, &key, PAGES * PAGE_BYTES, &c->remote));
	MUST(!net_data_open(c->conn, NET_DEMAND, &c->data));
	for (uint64_t page = 0; page < PAGES; page++) {
		page_fill(page_buf, page, 1);
		transfer(c, page, true);
	}
}

static void client_close(struct client *c)
{
	net_data_close(c->data);
	net_remote_close(c->remote);
	net_conn_close(c->conn);
	net_close(c->net);
	kill(c->owner, SIGKILL);
	waitpid(c->owner, NULL, 0);
}

static uint64_t state = 88172645463325252u;

static void read_one(struct client *c, uint64_t page)
{
	transfer(c, page, false);
}

static void round_trip(struct client *c, uint64_t page)
{
	uint8_t buf[ROUND_BYTES] = { 0 };

	(void)page;
	MUST(!net_send(c->conn, buf, sizeof(buf)));
	receive(c, buf, sizeof(buf));
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void measure(struct client *c, void (*what)(struct client *, uint64_t), bool check, const char *name,
		    const char *fabric, const char *target)
{
	static uint64_t ns[STEPS];

	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t page = random_next(&state) % PAGES, t = now_ns();

		what(c, page);
		ns[i] = now_ns() - t;
		MUST(!check || !page_wrong(page_buf, page, 1));
	}
	qsort(ns, STEPS, sizeof(ns[0]), by_value);
	printf("%s, %s, %s, p50: %lu ns\n", fabric, target, name, ns[STEPS / 2]);
	printf("%s, %s, %s, p99: %lu ns\n", fabric, target, name, ns[STEPS * 99 / 100]);
}

/* ---- what it costs to begin ---- */

static uint64_t since(uint64_t *t)
{
	uint64_t now = now_ns(), d = now - *t;

	*t = now;
	return d;
}

static void start_costs(const char *fabric)
{
	struct client c = { 0 }, d;
	struct net_options o = { 0 };
	struct net_pd *pd;
	struct net *net;
	uint64_t t;

	t = now_ns();
	MUST(!net_open(fabric, &o, &net));
	printf("%s, open a fabric, first of a process: %lu ns\n", fabric, since(&t));
	net_close(net);
	t = now_ns();
	MUST(!net_open(fabric, &o, &net));
	printf("%s, open a fabric, again: %lu ns\n", fabric, since(&t));
	MUST(!net_pd_open(net, &pd));
	printf("%s, open a protection domain: %lu ns\n", fabric, since(&t));
	net_pd_close(pd);
	net_close(net);
	client_open(&c, fabric, SLEEPS_HERE, 0, 1);
	d = c;
	t = now_ns();
	MUST(!net_connect(c.net, c.addr, 5000, &d.conn));
	printf("%s, connect: %lu ns\n", fabric, since(&t));
	net_conn_close(d.conn);
	t = now_ns();
	MUST(!net_data_open(c.conn, NET_BACKGROUND, &d.data));
	transfer(&d, 0, false);
	printf("%s, open a data connection and read: %lu ns\n", fabric, since(&t));
	net_data_close(d.data);
	client_close(&c);
}

static void in_a_child(const char *fabric)
{
	int status;

	fflush(NULL);
	if (fork() == 0) {
		start_costs(fabric);
		fflush(NULL);
		_exit(0);
	}
	MUST(wait(&status) > 0 && status == 0);
}

int main(int argc, char **argv)
{
	unsigned pairs = argc > 1 ? (unsigned)atoi(argv[1]) : 20;
	static struct client c[FABRICS][TARGETS];
	int cores = (int)sysconf(_SC_NPROCESSORS_ONLN);

	MUST(pairs >= 1 && pairs <= 10000);
	page_buf = aligned_alloc(PAGE_BYTES, PAGE_BYTES);
	pin(0);
	for (unsigned i = 0; i < pairs; i++)
		for (unsigned f = 0; f < FABRICS; f++)
			in_a_child(fabrics[f]);
	for (unsigned i = 0; i < pairs; i++) {
		for (unsigned f = 0; f < FABRICS; f++) {
			for (enum target t = 0; t < (cores > 1 ? TARGETS : SLEEPS_THERE); t++) {
				client_open(&c[f][t], fabrics[f], t, 0, 1);
				measure(&c[f][t], read_one, true, "read of 4 KB", fabrics[f], targets[t]);
				measure(&c[f][t], round_trip, false, "64 B there and back", fabrics[f], targets[t]);
				client_close(&c[f][t]);
			}
		}
	}
	return 0;
}
