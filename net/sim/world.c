/* See sim.h and world.h: events, randomness, the hash. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "net/sim/world.h"

#define SIM_EPOCH_NS (1000 * NS_PER_S) /* no clock begins at 0 */

struct sim_world sim;

void sim_open(const struct sim_config *cfg)
{
	BUG_ON(!*(const volatile bool *)&sim_wrapped);
	memset(&sim, 0, sizeof(sim));
	sim.cfg = *cfg;
	sim.now = SIM_EPOCH_NS;
	sim.rng = cfg->seed * 0x9e3779b97f4a7c15ULL + 1;
	sim.hash = 0xcbf29ce484222325ULL;
	sim.pid_next = 1000;
	sim.fd_next = SIM_FD_FIRST;
	list_init(&sim.nodes);
	list_init(&sim.conns);
	list_init(&sim.listeners);
	sim_links_open();
}

void sim_close(void)
{
	BUG_ON(sim.counts.nodes || sim.counts.coroutines);
	sim_heal_all();
	sim_run(); /* what is under way arrives nowhere */
	while (sim.mem) {
		struct sim_mem *m = sim.mem;

		sim.mem = m->next;
		free(m);
	}
	free(sim.heap);
	sim.heap = NULL;
	sim_co_free_stacks();
}

void *sim_alloc(size_t bytes)
{
	struct sim_mem *m = calloc(1, sizeof(*m) + bytes);

	BUG_ON(!m);
	m->next = sim.mem;
	sim.mem = m;
	return m->bytes;
}

/* ---- events: a heap, smallest first ---- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void sim_at(uint64_t when_ns, sim_event_fn *fn, void *arg, uint64_t v)
{
	struct sim_event e = { when_ns < sim.now ? sim.now : when_ns, ++sim.seq, fn, arg, v };
	size_t i = sim.n_events++;

	if (sim.n_events > sim.heap_size) {
		sim.heap_size = sim.heap_size ? sim.heap_size * 2 : 256;
		sim.heap = realloc(sim.heap, sim.heap_size * sizeof(e));
		BUG_ON(!sim.heap);
	}
	for (; i > 0 && before(&e, &sim.heap[(i - 1) / 2]); i = (i - 1) / 2)
		sim.heap[i] = sim.heap[(i - 1) / 2];
	sim.heap[i] = e;
}

static struct sim_event event_take(void)
{
	struct sim_event first = sim.heap[0], e = sim.heap[--sim.n_events];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < sim.n_events) {
		child += child + 1 < sim.n_events && before(&sim.heap[child + 1], &sim.heap[child]);
		if (!before(&sim.heap[child], &e))
			break;
		sim.heap[i] = sim.heap[child];
		i = child;
	}
	sim.heap[i] = e;
	return first;
}

void sim_run(void)
{
	sim.stopped = false;
	while (!sim.stopped && sim.n_events) {
		struct sim_event e = event_take();

		sim.now = e.at;
		sim.steps++;
		sim_note(e.at, e.seq);
		e.fn(e.arg, e.v);
	}
}

void sim_stop(void)
{
	sim.stopped = true;
}

uint64_t sim_now(void)
{
	return sim.now;
}

uint64_t sim_hash(void)
{
	return sim.hash;
}

uint64_t sim_steps(void)
{
	return sim.steps;
}

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

void sim_note(uint64_t a, uint64_t b)
{
	sim.hash = mix(sim.hash ^ a) + b;
}

void sim_trace(const char *fmt, ...)
{
	va_list ap;

	if (!sim.cfg.trace)
		return;
	fprintf(stderr, "%12.6f #%llu %-10s ", (double)(sim.now - SIM_EPOCH_NS) / 1e9, (unsigned long long)sim.steps,
		sim.at_work ? sim.at_work->name : "-");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* ---- randomness: splitmix64 ---- */

uint64_t sim_random(void)
{
	sim.rng += 0x9e3779b97f4a7c15ULL;
	return mix(sim.rng);
}

uint64_t sim_below(uint64_t n)
{
	return n ? (uint64_t)((unsigned __int128)sim_random() * n >> 64) : 0;
}

bool sim_chance(uint32_t ppm)
{
	return ppm && sim_below(1000000) < ppm;
}

uint64_t sim_between(uint64_t a, uint64_t b)
{
	return a + sim_below(b - a + 1);
}
