/*
 * Explore: every interleaving of a scenario, by depth first search over its states; a state met before is not gone
 * through again. A scenario may bound
 * how often a thread that could go on is made to wait for another.
 */
#ifndef ASHLAR_TESTS_MODEL_EXPLORE_H
#define ASHLAR_TESTS_MODEL_EXPLORE_H
#include <limits.h>
#include "world.h"

#define EXPLORE_DEPTH 4096u

struct node {
	struct steps_saved saved;
	uint64_t world[(sizeof(struct world) + 7) / 8];
	unsigned next, preempted, last;
	unsigned char chosen;
	const char *label;
};

struct explored {
	uint64_t states, steps, ends;
	unsigned depth;
	const char *wrong;
	bool whole; /* false: more than the given number of states */
};

static struct node explore_node[EXPLORE_DEPTH];
static uint64_t *explore_seen, explore_size, explore_used;

static bool seen_before(uint64_t h)
{
	uint64_t at = h & (explore_size - 1);

	h += h == 0;
	while (explore_seen[at]) {
		if (explore_seen[at] == h)
			return true;
		at = (at + 1) & (explore_size - 1);
	}
	explore_seen[at] = h;
	explore_used++;
	return false;
}

static inline void explore_trace(unsigned depth)
{
	static const char *const names[] = { "thread 0", "thread 1", "thread 2", "evictor ", "layout  " };
	unsigned n = programs();

	for (unsigned d = 0; d < depth; d++) {
		unsigned t = explore_node[d].chosen;

		printf("    %4u %s %s\n", d, names[t < n ? t : t == n ? 3 : 4], explore_node[d].label);
	}
}

/* The next thread to try from node d, or -1. */
static int explore_choice(struct node *d, unsigned preempt)
{
	while (d->next < steps.n) {
		unsigned t = d->next++;
		bool runnable = !d->saved.steps.thread[t].done && !d->saved.steps.thread[t].waiting;
		bool last_could = d->last < steps.n && !d->saved.steps.thread[d->last].done &&
				  !d->saved.steps.thread[d->last].waiting;

		if (runnable && (t == d->last || !last_could || d->preempted < preempt))
			return (int)t;
	}
	return -1;
}

static bool any_runnable(void)
{
	for (unsigned i = 0; i < steps.n; i++)
		if (steps_runnable(i))
			return true;
	return false;
}

static void node_fill(struct node *d, unsigned last, unsigned preempted)
{
	steps_save(&d->saved);
	d->next = 0;
	d->last = last;
	d->preempted = preempted;
}

/* One step from node d by thread t: what is wrong afterwards, or NULL. */
static const char *explore_step(struct node *d, unsigned t)
{
	steps_restore(&d->saved);
	d->chosen = (unsigned char)t;
	d->label = steps.thread[t].label;
	steps_run(t);
	return world_wrong();
}

static inline struct explored explore(const struct scenario *s, enum bug b, uint64_t states_max)
{
	struct explored e = { .whole = true };
	unsigned preempt = s->preempt ? s->preempt : UINT_MAX;
	unsigned depth = 1;

	explore_size = 1;
	while (explore_size < states_max * 2)
		explore_size *= 2;
	explore_seen = calloc(explore_size, sizeof(uint64_t));
	explore_used = 0;
	world_begin(s, b);
	node_fill(&explore_node[0], UINT_MAX, 0);
	while (depth > 0 && !e.wrong) {
		struct node *d = &explore_node[depth - 1];
		int t = explore_choice(d, preempt);
		unsigned preempted = d->preempted;
		uint64_t h;

		if (t < 0) {
			depth--;
			continue;
		}
		preempted += d->last < steps.n && (unsigned)t != d->last && !d->saved.steps.thread[d->last].done &&
			     !d->saved.steps.thread[d->last].waiting;
		e.wrong = explore_step(d, (unsigned)t);
		e.steps++;
		if (!e.wrong && steps_all_done()) {
			e.ends++;
			e.wrong = end_wrong();
		} else if (!e.wrong && !any_runnable()) {
			e.wrong = "deadlock: all wait";
		} else if (!e.wrong) {
			h = steps_hash();
			if (preempt != UINT_MAX)
				h = steps_mix(steps_mix(h, (unsigned)t), preempted);
			if (seen_before(h))
				continue;
			if (depth == EXPLORE_DEPTH || explore_used >= states_max) {
				e.whole = false;
				break;
			}
			node_fill(&explore_node[depth++], (unsigned)t, preempted);
			e.depth = depth > e.depth ? depth : e.depth;
			continue;
		}
		if (e.wrong)
			e.depth = depth;
	}
	e.states = explore_used;
	free(explore_seen);
	return e;
}

#endif
