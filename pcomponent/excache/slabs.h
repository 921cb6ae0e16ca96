/*
 * Slabs: all that the process has, how they are got from the memory components and given back. For the files of backing.h
 * only.
 */
#ifndef PCOMPONENT_EXCACHE_SLABS_H
#define PCOMPONENT_EXCACHE_SLABS_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/backing.h"
#include "pcomponent/excache/slab.h"

#define SLAB_FRAMES_FIRST 256u /* small at first, so that a small process uses all its components */

/* What we know of a component as a place for slabs. */
struct place {
	uint64_t used; /* frames in use */
	uint64_t open; /* of those, in slabs that are open */
	uint64_t slabs;
	uint64_t silent_until_ns;
	uint64_t full_until_ns; /* said -ENOMEM: only asked before this when there is no other way */
};

/* Frames of slabs, open or sealed: all, those in use; and how many slabs have none in use. */
struct count {
	uint64_t total, used;
	uint32_t slabs, whole;
};

struct slabs {
	struct slab **at; /* by index; 0 is never used */
	uint32_t end;	  /* all below it were used once */
	struct place place[PROCESS_MEMORY_MAX];
	struct count open, sealed;
	bool said_full;
};
extern struct slabs slabs;

/* The parts of a location. */
static inline struct slab *slab_of(uint64_t loc)
{
	return slabs.at[loc >> FRAME_BITS];
}

static inline uint32_t frame_of(uint64_t loc)
{
	return (uint32_t)(loc & ((1u << FRAME_BITS) - 1));
}

int slabs_open(void); /* 0 or -ENOMEM */
void slabs_close(void);

/* Count a slab with the others, or (before it changes) not any more. */
void slab_count(const struct slab *, bool here);

/* All frames that are in use. */
uint64_t slabs_used(void);
/* Frames or slabs came or went: bring the statistics up to date. */
void slabs_usage_changed(void);

/* A slab from the next component that has one. patient: it is needed now, and may take time. Its index, or -ENOMEM. */
int slabs_get(bool patient);
/* Tell the user, once, that there was none. */
void slabs_say_full(void);
bool slabs_all_dead(void);
/* Give back what is more than this reserve of frames that are free. -EAGAIN: a component takes no messages. */
int slabs_trim(uint64_t reserve);

#endif
