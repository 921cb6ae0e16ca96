/*
 * fabric [PAIRS]: what each fabric costs between two processes: a one-sided read of 4 KB and a message of 64 bytes there
 * and back, from an owner that sleeps in its loop (on the reader's core, on another) and from one that never sleeps (on
 * another core); then what it costs to open the fabric, a protection domain, a connection, a data connection. Fabrics
 * and targets take turns in each pair; every page read is checked.
 */
#include <sched.h>
#include "tests/bench/peer.h"

#define PAGES 1024u /* 4 MB */
#define STEPS 400u  /* of each kind in a pair */

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

static struct loop_timer never;
static enum target now_target;
static int now_core;

static void owner_again(void *arg)
{
	loop_timer_set(arg, &never, loop_now(arg));
}

static void owner_begin(struct loop *loop)
{
	pin(now_core);
	never = (struct loop_timer){ .fn = owner_again, .arg = loop };
	if (now_target == SPINS)
		owner_again(loop);
}

/* ---- the reader ---- */

static void client_open(struct peer *p, const char *fabric, enum target target, int here, int there)
{
	struct owner owner = { .fabric = fabric, .pages = PAGES, .begin = owner_begin };

	now_target = target;
	now_core = target == SLEEPS_HERE ? here : there;
	peer_owner(p, &owner);
	peer_open(p, fabric, NULL, PAGES, PAGE_BYTES);
	peer_fill(p, PAGES);
}

static uint64_t state = 88172645463325252u;

static void read_one(const struct peer *p, uint64_t page)
{
	peer_read(p, page * PAGE_BYTES, PAGE_BYTES);
}

static void round_trip(const struct peer *p, uint64_t page)
{
	(void)page;
	peer_trip(p);
}

static void measure(struct peer *p, void (*what)(const struct peer *, uint64_t), bool check, const char *name,
		    const char *fabric, const char *target)
{
	static uint64_t ns[STEPS];

	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t page = random_next(&state) % PAGES, t = now_ns();

		what(p, page);
		ns[i] = now_ns() - t;
		MUST(!check || !page_wrong(p->buf, page, 1));
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
	struct peer c = { 0 }, d;
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
	peer_read(&d, 0, PAGE_BYTES);
	printf("%s, open a data connection and read: %lu ns\n", fabric, since(&t));
	net_data_close(d.data);
	peer_close(&c);
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
	static struct peer c[FABRICS][TARGETS];
	int cores = (int)sysconf(_SC_NPROCESSORS_ONLN);

	MUST(pairs >= 1 && pairs <= 10000);
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
				peer_close(&c[f][t]);
			}
		}
	}
	return 0;
}
