/*
 * pair owner FABRIC ADDR: serves memory at ADDR until it is ended.
 * pair measure FABRIC ADDR STEPS: a one-sided read of 4 KB and a message of 64 bytes there and back, from the owner at
 * ADDR, which may be on another machine. Every page read is checked. Messages and transfers are counted beside the times.
 */
#include "tests/bench/peer.h"

#define PAGES 256u /* 1 MB */
#define STEPS_MAX 100000u

static uint64_t ns[STEPS_MAX];

static void show(const char *what, unsigned steps, const struct net_stats *before, const struct net_stats *after)
{
	qsort(ns, steps, sizeof(ns[0]), by_value);
	printf("%s, least: %lu ns\n", what, ns[0]);
	printf("%s, p50: %lu ns\n", what, ns[steps / 2]);
	printf("%s, p99: %lu ns\n", what, ns[steps * 99 / 100]);
	printf("%s, %u times: %lu messages out, %lu in, %lu reads of %lu bytes\n", what, steps,
	       after->msgs_tx - before->msgs_tx, after->msgs_rx - before->msgs_rx, after->reads - before->reads,
	       after->read_bytes - before->read_bytes);
}

static void measure(struct peer *p, const char *fabric, unsigned steps)
{
	struct net_stats before;
	uint64_t state = 88172645463325252u;

	peer_open(p, fabric, NULL, PAGES, PAGE_BYTES);
	peer_fill(p, PAGES);
	before = *net_stats(p->net);
	for (unsigned i = 0; i < steps; i++) {
		uint64_t page = random_next(&state) % PAGES, t = now_ns();

		peer_read(p, page * PAGE_BYTES, PAGE_BYTES);
		ns[i] = now_ns() - t;
		MUST(!page_wrong(p->buf, page, 1));
	}
	show("read of 4 KB", steps, &before, net_stats(p->net));
	before = *net_stats(p->net);
	for (unsigned i = 0; i < steps; i++) {
		uint64_t t = now_ns();

		peer_trip(p);
		ns[i] = now_ns() - t;
	}
	show("64 B there and back", steps, &before, net_stats(p->net));
}

int main(int argc, char **argv)
{
	static struct peer p;
	unsigned steps;

	if (argc == 4 && strcmp(argv[1], "owner") == 0)
		owner_run(&(struct owner){ .fabric = argv[2], .listen = argv[3], .pages = PAGES }, STDOUT_FILENO);
	steps = argc == 5 && strcmp(argv[1], "measure") == 0 ? (unsigned)atoi(argv[4]) : 0;
	if (!steps || steps > STEPS_MAX || strlen(argv[3]) >= sizeof(p.addr)) {
		fprintf(stderr, "usage: pair owner FABRIC ADDR | pair measure FABRIC ADDR STEPS (at most %u)\n",
			STEPS_MAX);
		return 2;
	}
	strcpy(p.addr, argv[3]);
	measure(&p, argv[2], steps);
	peer_close(&p);
	return 0;
}
