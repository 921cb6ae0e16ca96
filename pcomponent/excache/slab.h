/*
 * One slab: a run of frames of a memory component with one key, and which of them are in use. What all of them come to:
 * slabs.h.
 */
#ifndef PCOMPONENT_EXCACHE_SLAB_H
#define PCOMPONENT_EXCACHE_SLAB_H
#include <stdbool.h>
#include <stdint.h>

struct net_remote;

struct slab {
	uint64_t id;
	struct net_remote *remote; /* atomic; NULL: shared by a fork, and not used yet */
	bool sealed;		   /* by a fork */
	bool leaving;		   /* its frames are to be moved away */
	uint32_t component, frames, free;
	uint32_t run_max; /* no free run is longer (it may be shorter) */
	uint64_t map[];	  /* bit set: in use; so is what lies behind the end */
};

#define RUN_GOOD 16u /* frames in a row that are worth one transfer */

/* The first free run at or after *f with at least `least` frames, looked at up to `want`: its length, 0 if none. */
uint32_t slab_run(const struct slab *, uint32_t *f, uint32_t least, uint32_t want);
/* Frame f was freed: the run that it lies in now may be longer than any that the slab was known to have. */
void slab_run_grown(struct slab *, uint32_t f);

#endif
