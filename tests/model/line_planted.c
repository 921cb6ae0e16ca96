/*
 * The checker is checked: each planted bug (world.h) must be found, by walking all interleavings of some scenario, and by
 * random runs. Without one, both find nothing (line_exhaustive.c, line_random.c). Each is looked for twice: with all rules,
 * and by the damage that it does alone (a wrong read, a lost frame, a hang), where the walk must go much further.
 */
#include "explore.h"
#include "random.h"
#include "scenarios.h"

#define STATES_MAX 2000000u
#define RANDOM_MAX 3000000u

static bool by_walk(enum bug b)
{
	for (size_t i = 0; i < SCENARIOS; i++) {
		struct explored e;

		if (b >= BUG_SHARED_ONE ? !scenarios[i].shared : b >= BUG_FORK_UNPROTECTED && !scenarios[i].forks)
			continue; /* nothing is wrong there */
		e = explore(&scenarios[i], b, STATES_MAX);
		if (!e.wrong)
			continue;
		printf("%-20s walk:   \"%s\" in \"%s\", %llu steps\n", bug_name[b], e.wrong, scenarios[i].name,
		       (unsigned long long)e.steps);
		return true;
	}
	return false;
}

static bool by_chance(enum bug b)
{
	uint64_t done = 0;

	for (uint64_t seed = 1; done < RANDOM_MAX; seed++) {
		struct random_run r = random_run(seed, b);

		done += r.steps;
		if (!r.wrong)
			continue;
		printf("%-20s random: \"%s\", %llu steps\n", bug_name[b], r.wrong, (unsigned long long)done);
		return true;
	}
	return false;
}

int main(void)
{
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int damage = 0; damage < 2; damage++) {
		world_damage_only = damage;
		printf(damage ? "-- by damage alone\n" : "-- by all rules\n");
		for (enum bug b = BUG_NONE + 1; b < BUG_COUNT; b++) {
			bool walk = by_walk(b), chance = by_chance(b);

			if (!walk)
				printf("%-20s NOT FOUND by walking all interleavings\n", bug_name[b]);
			if (!chance)
				printf("%-20s NOT FOUND by random runs\n", bug_name[b]);
			failed |= !walk || !chance;
		}
	}
	return failed;
}
