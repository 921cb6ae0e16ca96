/*
 * The line state machine under all interleavings of small scenarios: two or three program threads, the evictor, a thread
 * of layout changes. The product's own code runs (world.h).
 */
#include <time.h>
#include "explore.h"
#include "scenarios.h"

#define STATES_MAX 8000000u

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int walk(const struct scenario *s)
{
	double begin = now_s();
	struct explored e = explore(s, BUG_NONE, STATES_MAX);

	printf("%-50s %8llu states %9llu steps %6llu ends, %3u deep, %5.1f s", s->name, (unsigned long long)e.states,
	       (unsigned long long)e.steps, (unsigned long long)e.ends, e.depth, now_s() - begin);
	if (s->preempt)
		printf(", at most %u preemptions", s->preempt);
	printf("%s\n", e.whole ? "" : " (CUT OFF)");
	if (e.wrong) {
		printf("WRONG: %s\n", e.wrong);
		explore_trace(e.depth);
	}
	return e.wrong || !e.whole;
}

int main(void)
{
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < SCENARIOS; i++)
		failed |= walk(&scenarios[i]);
	return failed;
}
