/*
 * The line state machine under ten million random steps: four pages, three programs, the evictor, layout changes, host
 * operations and transfers that fail. The seed is printed; SEED=n in the environment runs the same again, STEPS=n more of
 * them.
 */
#include <time.h>
#include "random.h"

#define STEPS_TOTAL 10000000u

int main(void)
{
	const char *given = getenv("SEED"), *more = getenv("STEPS");
	uint64_t total = more ? strtoull(more, NULL, 0) : STEPS_TOTAL;
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000003u;
	uint64_t runs = 0, done = 0;
	struct random_run r;

	printf("SEED=%llu\n", (unsigned long long)seed);
	for (; done < total; runs++, done += r.steps) {
		r = random_run(seed + runs, BUG_NONE);
		if (!r.wrong)
			continue;
		printf("WRONG: %s, after %llu steps of the run with SEED=%llu\n", r.wrong, (unsigned long long)r.steps,
		       (unsigned long long)(seed + runs));
		random_tail(r.steps);
		return 1;
	}
	printf("%llu steps in %llu runs\n", (unsigned long long)done, (unsigned long long)runs);
	return 0;
}
