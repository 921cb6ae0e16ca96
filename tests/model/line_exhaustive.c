/*
 * The line state machine under all interleavings of small scenarios: two program threads, the evictor, a thread of
 * layout changes. The product's own code runs (world.h).
 */
#include "explore.h"

static const struct scenario scenarios[] = {
	{ .name = "one page, two writers", .program = { "w0 r0", "w0 r0" }, .pages = 1, .budget = 2, .frames = 4, .rounds = 2,
	  .batch = 1, .grow = 1 },
};

int main(int argc, char **argv)
{
	int failed = 0;
	uint64_t states = 0;
	(void)argc; (void)argv;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		struct explored e = explore(&scenarios[i], BUG_NONE, UINT_MAX, 8000000);

		states += e.states;
		printf("%s: %llu states, %llu steps, %llu ends, depth %u%s\n", scenarios[i].name, (unsigned long long)e.states,
		       (unsigned long long)e.steps, (unsigned long long)e.ends, e.depth, e.whole ? "" : " (cut off)");
		if (!e.wrong)
			continue;
		printf("WRONG: %s\n", e.wrong);
		explore_trace(e.depth);
		failed = 1;
	}
	return failed;
}
