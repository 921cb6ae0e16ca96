/* One random run of the model: scripts, choices of threads, and failures come from the seed. */
#ifndef ASHLAR_TESTS_MODEL_RANDOM_H
#define ASHLAR_TESTS_MODEL_RANDOM_H
#include <limits.h>
#include "world.h"

#define RANDOM_OPS 40u
#define RANDOM_STEPS_MAX 200000u
#define RANDOM_TAIL 60u

struct random_run {
	const char *wrong;
	uint64_t steps;
};

static uint64_t random_state;
static struct {
	unsigned thread;
	const char *label;
} random_last[RANDOM_TAIL];

static uint64_t random_next(void)
{
	uint64_t z = (random_state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* Pages from `first` on; k: in the child. */
static void script_program(char *s, unsigned first, unsigned pages)
{
	if (first)
		*s++ = 'k';
	for (unsigned i = 0; i < RANDOM_OPS; i++) {
		*s++ = "rrrwwwz"[random_next() % 7];
		*s++ = (char)('0' + first + random_next() % pages);
	}
	*s = '\0';
}

static void script_layout(char *s, unsigned pages, const bool *native, bool forks)
{
	unsigned n = (unsigned)(random_next() % 6), from = forks ? (unsigned)(random_next() % (n + 1)) : UINT_MAX;

	for (unsigned i = 0; i < pages; i++)
		if (native[i])
			s += sprintf(s, "t%u ", i);
	if (from == n)
		s += sprintf(s, "k ");
	while (n-- > 0) {
		/* Behind the fork in either process. */
		unsigned first = n < from && forks && random_next() % 2 ? FORKED : 0;
		unsigned a = first + (unsigned)(random_next() % pages), b = first + (unsigned)(random_next() % pages);

		if (random_next() % 2 || a == b)
			s += sprintf(s, "f%u ", a);
		else
			s += sprintf(s, "m%u%u ", a, b);
		if (n == from)
			s += sprintf(s, "k ");
	}
}

static struct scenario *random_scenario(void)
{
	static char text[4][256];
	static struct scenario s;
	unsigned n = 1 + (unsigned)(random_next() % 3), own;

	memset(&s, 0, sizeof(s));
	memset(text, 0, sizeof(text));
	s.name = "random";
	s.pages = PAGES;
	s.budget = 1 + (unsigned)(random_next() % PAGES);
	s.frames = 5 + (unsigned)(random_next() % (FRAMES - 4));
	s.rounds = UINT_MAX;
	s.batch = 1 + (unsigned)(random_next() % LINE_EVICT_MAX);
	s.grow = 1 + (unsigned)(random_next() % 3);
	s.fail_one_in = random_next() % 2 ? 0 : 50;
	s.forks = random_next() % 2;
	s.shared = !s.forks && random_next() % 2;
	s.relocates = s.forks && random_next() % 2;
	own = s.forks ? FORKED : PAGES;
	for (unsigned i = 0; i < own; i++)
		s.native[i] = random_next() % 8 == 0;
	for (unsigned i = 0; i < n; i++) {
		script_program(text[i], s.forks && i > 0 && random_next() % 2 ? FORKED : 0, own);
		s.program[i] = text[i];
	}
	script_layout(text[3], own, s.native, s.forks);
	s.layout = text[3];
	return &s;
}

/* Threads run on for a while, and are interrupted at any point. */
static unsigned random_thread(unsigned last)
{
	unsigned t;

	if (last < steps.n && steps_runnable(last) && random_next() % 4)
		return last;
	do
		t = (unsigned)(random_next() % steps.n);
	while (!steps_runnable(t));
	return t;
}

static bool random_any_runnable(void)
{
	for (unsigned i = 0; i < steps.n; i++)
		if (steps_runnable(i))
			return true;
	return false;
}

static inline struct random_run random_run(uint64_t seed, enum bug b)
{
	struct random_run r = { NULL, 0 };
	unsigned t = UINT_MAX;

	random_state = seed;
	world_begin(random_scenario(), b);
	world_random = random_next;
	world_fine = true;
	while (!steps_all_done() && !r.wrong) {
		if (!random_any_runnable() || r.steps == RANDOM_STEPS_MAX) {
			r.wrong = r.steps == RANDOM_STEPS_MAX ? "no end" : "deadlock: all wait";
			break;
		}
		t = random_thread(t);
		random_last[r.steps % RANDOM_TAIL].thread = t;
		random_last[r.steps % RANDOM_TAIL].label = steps.thread[t].label;
		steps_run(t);
		r.steps++;
		r.wrong = world_wrong();
	}
	if (!r.wrong)
		r.wrong = end_wrong();
	world_random = NULL;
	world_fine = false;
	return r;
}

/* The scenario and the last steps of a run, the very last at the end. */
static inline void random_tail(uint64_t n)
{
	printf("budget %u, %u frames, batch %u, grow %u, layout: %s\n", scenario->budget, scenario->frames,
	       scenario->batch, scenario->grow, scenario->layout);
	for (unsigned i = 0; i < programs(); i++)
		printf("thread %u: %s\n", i, scenario->program[i]);
	for (uint64_t i = n > RANDOM_TAIL ? n - RANDOM_TAIL : 0; i < n; i++)
		printf("    thread %u: %s\n", random_last[i % RANDOM_TAIL].thread, random_last[i % RANDOM_TAIL].label);
}

#endif
