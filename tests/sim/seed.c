/*
 * One seed: a rack of a size, links of a kind, some processes, some faults. Then peace: everything is mended, nothing may
 * be held, and a fresh process must run right.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "rack.h"

#define SETTLE_NS (40 * NS_PER_S)

const char *const plant_names[PLANT_MAX] = { "none", "early-ack", "no-protect", "lost-end", "no-share", "early-free" };
struct options options;

static struct {
	unsigned faults;
	bool small;
	uint64_t within_ns;
} plan;

void fail(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "sim: seed %llu failed: ", (unsigned long long)options.seed);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr,
		"\nsim: at step %llu; again: make sim SEED=%llu, or build/tests/sim/sim --seed %llu --trace%s%s\n",
		(unsigned long long)sim_steps(), (unsigned long long)options.seed, (unsigned long long)options.seed,
		options.plant ? " --plant " : "", options.plant ? plant_names[options.plant] : "");
	rack_remove();
	_Exit(1);
}

static struct sim_config config_draw(void)
{
	struct sim_config c = { .seed = options.seed,
				.trace = options.trace,
				.early_write_ack = options.plant == PLANT_EARLY_ACK,
				.free_shared = options.plant == PLANT_EARLY_FREE,
				.lose_ends = options.plant == PLANT_LOST_END };
	uint64_t r = options.seed * 0x9e3779b97f4a7c15ULL;

	c.local_any = r >> 20 & 1;
	c.latency_ns = 1000 + (r >> 21 & 7) * 1500;
	c.jitter_ns = (r >> 24 & 3) * 4000;
	c.bytes_per_us = (r >> 26 & 3) == 0 ? 1000 : 0;
	c.loss_ppm = (r >> 28 & 3) == 0 ? 20000 : 0;
	c.break_ns = (3 + (r >> 30 & 7)) * NS_PER_S;
	c.window_bytes = (r >> 33 & 3) == 0 ? 13 << 10 : 256 << 10;
	chaos_lossy = (r >> 35 & 7) == 0;
	if (chaos_lossy) {
		c.msg_loss_ppm = 5000;
		c.msg_dup_ppm = 20000;
		c.msg_late_ppm = 10000;
	}
	plan.faults = (r >> 38 & 3) == 0 ? 0 : 1 + (r >> 40 & 3) + (r >> 47 & 3);
	plan.small = (r >> 42 & 7) == 0;
	plan.within_ns = (r >> 45 & 1) ? 60 * NS_PER_MS : 3 * NS_PER_S;
	return c;
}

/* ---- was the outcome allowed? ---- */

static bool trouble(const struct part *part, const struct proc *p)
{
	return part->trouble_ns >= p->begin_ns;
}

bool proc_troubled(const struct proc *p)
{
	for (unsigned i = 0; i < rack.n_parts; i++)
		if (trouble(&rack.part[i], p))
			return true;
	return chaos_links >= p->begin_ns;
}

static bool memory_trouble(const struct proc *p)
{
	for (uint32_t i = 0; i < p->n_memory; i++)
		if (trouble(part_of_memory(p->memory[i].name), p))
			return true;
	return chaos_links >= p->begin_ns;
}

static void judge(const struct proc *p)
{
	bool allowed = true;

	sim_trace("process %u: %s", p->index, outcome_name(p->outcome));
	switch (p->outcome) {
	case RUNNING:
		allowed = false;
		break;
	case FINISHED:
		break;
	case NOT_STARTED:
		allowed = proc_troubled(p) || plan.small || p->harmed;
		break;
	case KILLED:
		allowed = proc_troubled(p) || p->harmed;
		break;
	case LOST_MEMORY:
		allowed = memory_trouble(p);
		break;
	case FULL_MEMORY:
		allowed = plan.small || memory_trouble(p) || (p->promised && p->memory_forks);
		break;
	}
	check(allowed, "process %u: %s, and nothing has happened that would explain it (%s)", p->index,
	      outcome_name(p->outcome), p->said);
	sim_note(p->index, p->outcome);
}

/* ---- the run ---- */

static struct workload workload_draw(void)
{
	struct workload w = { .threads = (unsigned)sim_between(1, THREADS_MAX), .files = sim_chance(600000) };

	w.budget_lines = (unsigned)sim_between(64, 128);
	w.pages = (unsigned)sim_between(w.budget_lines / 2, w.budget_lines * 4);
	w.steps = (unsigned)sim_between(300, 5000) / w.threads;
	w.forks = sim_chance(500000);
	return w;
}

static struct proc *over[PROCS_MAX];
static unsigned n_over;

static void proc_wait(struct proc *p, uint64_t limit_ns)
{
	uint64_t limit = sim_now() + limit_ns;

	while (!proc_over(p)) {
		check(sim_now() < limit, "process %u does not end (%s)", p->index, outcome_name(p->outcome));
		sim_sleep(5 * NS_PER_MS);
	}
	judge(p);
	over[n_over++] = p;
}

static struct proc *slot[SLOTS];

struct proc *proc_any(void)
{
	struct proc *p = slot[sim_below(SLOTS)];

	return p && !proc_over(p) ? p : NULL;
}

static void processes_run(void)
{
	unsigned n = (unsigned)sim_between(1, PROCS_MAX - 1);

	for (unsigned i = 0; i < n; i++) {
		struct workload w = workload_draw();

		if (slot[i % SLOTS])
			proc_wait(slot[i % SLOTS], 600 * NS_PER_S);
		slot[i % SLOTS] = proc_start(i, i % SLOTS, &w);
		sim_sleep(sim_below(20 * NS_PER_MS));
	}
	for (unsigned i = 0; i < SLOTS; i++)
		if (slot[i])
			proc_wait(slot[i], 600 * NS_PER_S);
	memset(slot, 0, sizeof(slot));
}

static void nothing_held(void)
{
	uint64_t limit = sim_now() + SETTLE_NS;
	const char *what;

	while ((what = rack_held())) {
		check(sim_now() < limit, "held after %llu s of peace: %s", SETTLE_NS / NS_PER_S, what);
		sim_sleep(100 * NS_PER_MS);
	}
}

static void fresh_process(void)
{
	struct workload w = {
		.threads = 2, .files = true, .forks = true, .budget_lines = 64, .pages = 160, .steps = 60
	};
	struct proc *p = proc_start(PROCS_MAX - 1, 0, &w);

	while (!proc_over(p))
		sim_sleep(5 * NS_PER_MS);
	check(p->outcome == FINISHED || chaos_lossy, "a fresh process in a whole rack: %s (%s)",
	      outcome_name(p->outcome), p->said);
	over[n_over++] = p;
}

static void seed_main(void *arg)
{
	rack_open((unsigned)sim_between(1, MEMORIES_MAX), plan.small ? 2 << 20 : 64 << 20);
	check(rack_ready(60 * NS_PER_S), "the rack does not come up");
	chaos_start(plan.within_ns, plan.faults);
	processes_run();
	chaos_end();
	check(rack_ready(120 * NS_PER_S), "the rack does not come together again");
	nothing_held();
	fresh_process();
	nothing_held();
	while (n_over) {
		struct proc *p = over[--n_over];

		if (p->files)
			files_verify(p->files);
		proc_free(p);
	}
	rack_note();
	rack_close();
}

bool seed_run(uint64_t *hash, uint64_t *steps)
{
	struct sim_config c = config_draw();

	log_open("sim", options.trace ? LOG_INFO : LOG_ERROR);
	if (!options.trace)
		log_set_fd(-1);
	sim_open(&c);
	sim_spawn(NULL, seed_main, NULL);
	sim_run();
	*hash = sim_hash();
	*steps = sim_steps();
	sim_close();
	return true;
}
