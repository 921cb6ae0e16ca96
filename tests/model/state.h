/* What there is in the world (world.h): pages, frames, the page map, threads' queues; and the scenario that runs in it. */
#ifndef ASHLAR_TESTS_MODEL_STATE_H
#define ASHLAR_TESTS_MODEL_STATE_H
#include <errno.h>
#include "bugs.h"
#include "steps.h"

#define LINE_MODEL 1
#define LINE_BATCH 4u
#define LINE_EVICT_MAX 4u
#include "pcomponent/excache/hostvm.h"
#include "pcomponent/excache/line.h"

#define PAGES 4u
#define FORKED 2u /* pages of each process, where there are two */
#define FRAMES 8u
#define QUEUE 64u
#define STALE 16u
#define VAIN_MAX 6u

struct page {
	uint64_t word;
	uint8_t present, content, truth, registered, ungiven, pad;
	uint8_t protect, tlb_write; /* bit for each process that maps it: one, but in shared memory */
};

struct frame {
	uint8_t used; /* by so many processes */
	uint8_t content, reading, writing, sealed, pad[3];
};

struct stale {
	uint64_t vpn, loc;
};

/* One scenario. Programs are strings: "r0 w1 z2" reads page 0, writes page 1, writes zero to page 2. */
struct scenario {
	const char *name;
	const char *program[3]; /* by thread */
	const char *layout; /* f0: page 0 is forgotten; m01: moved to page 1; t2: taken (registered late); k: fork */
	bool forks;	    /* there is a k, and programs that begin with one are the child's */
	bool relocates;	    /* the evictor moves lines out of sealed frames */
	bool shared;	    /* each program is a process of its own, all map the same pages */
	unsigned budget, frames, rounds, batch, grow, pages;
	bool native[PAGES]; /* there before registration */
	unsigned preempt;   /* bound of preemptions for an exhaustive walk; 0: none */
	/* One in so many host operations fails (random runs); 0: none */
	unsigned fail_one_in;
};

struct world {
	struct page page[PAGES];
	struct frame frame[FRAMES];
	uint64_t map[PAGES]; /* page map: location */
	struct line_ref queue[QUEUE];
	struct stale stale[STEPS_THREADS][STALE], late;
	uint8_t n_stale[STEPS_THREADS], bounce[STEPS_THREADS], wants[STEPS_THREADS], slot[8];
	uint8_t fake[PAGES];	     /* planted bugs: the word says otherwise */
	uint8_t vain[STEPS_THREADS]; /* faults of one access since another thread changed anything */
	uint8_t evictor_done, forked, pad[2];
	uint32_t queued, epoch, in_fault, exclusive, writes, rounds, frame_next, programs_left;
	int32_t room, pad2;
};

static struct world world;
static const struct scenario *scenario;
static enum bug bug;
static uint64_t (*world_random)(void); /* NULL: no failures, no choices */
/*
 * Stop also before loads of a word. Needed for nothing: what a load that comes later would see, the compare-and-swap
 * behind it sees too, and the thread looks again; and it multiplies the states.
 */
static bool world_fine;
/* Only what a program or a component would notice counts as wrong: not what the word says on the way there. */
static bool world_damage_only;

/* For whoever waits, and for whoever faults in vain. */
static void world_changed(void)
{
	for (unsigned t = 0; t < steps.n; t++)
		if (t != steps.self)
			world.vain[t] = 0;
	steps_changed();
}

static bool world_chance(unsigned one_in)
{
	return one_in && world_random && world_random() % one_in == 0;
}

#endif
