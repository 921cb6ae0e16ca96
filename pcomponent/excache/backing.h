/*
 * Backing: where pages lie on the memory components. Slabs are got and given back by message, frames in them handed out
 * here, in runs where possible. A location is slab index << FRAME_BITS | frame; 0 is none.
 *
 * All but backing_locate is for the evictor, or for callers that exclude faults.
 */
#ifndef PCOMPONENT_EXCACHE_BACKING_H
#define PCOMPONENT_EXCACHE_BACKING_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/limits.h"
#include "ashlar/net.h"

#define FRAME_BITS 14
#define SLABS_MAX (1u << 20)

_Static_assert(1u << FRAME_BITS >= SLAB_FRAMES_MAX, "a location holds any frame of a slab");

int backing_open(void);
void backing_close(void);

/* Up to `want` frames in a row, at least 1: the number. -ENOMEM: all components are full (said once); -EIO: all are lost. */
int backing_take(unsigned want, uint64_t *loc);
/* Give n frames from loc on back. They are in no page map, or were cleared there before. */
void backing_put(uint64_t loc, unsigned n);
/* Slabs that have no frame in use go back, but for a reserve. */
void backing_trim(void);

/* Where a location is: any thread that holds one of its frames. Returns the component. */
uint32_t backing_component(uint64_t loc);
/*
 * The same, to be read or written: 0, or -errno. A slab that was shared by a fork is asked for at the first use: that takes
 * a message. -ENOENT: its component does not know it.
 */
int backing_locate(uint64_t loc, struct net_remote **remote, uint64_t *off);
/* The component, its id of the slab, and the frame in it. */
uint32_t backing_slab(uint64_t loc, uint64_t *slab, uint32_t *frame);

/*
 * A fork: seal all slabs for good and make the member their sharer (P2M_FORK), which all components that have some are told.
 * Frames of sealed slabs are read and freed, never taken. 0 or -errno; they are sealed in any case. Evictor.
 */
int backing_fork(uint32_t member);
/* In the child: all slabs are to be opened anew. */
void backing_fork_child(void);

/*
 * Slack: a sealed slab with one live frame stays, and every fork seals. While sealed slabs have more than twice the frames
 * that are in use of them (and SLACK_FRAMES), the sparsest are to be left: choose marks some whose frames are `pages` or
 * more, where there are so many; false: there is no need. leaving: is this location in one of them? take_quietly: frames to
 * move to; that there are none is not said.
 */
#define SLACK_FRAMES 512u
bool backing_sparse_choose(unsigned pages);
bool backing_leaving(uint64_t loc);
int backing_take_quietly(unsigned want, uint64_t *loc);

struct backing_usage {
	uint64_t slabs, frames, used; /* used: frames */
	uint64_t sealed_slabs, sealed_frames, sealed_used;
};
void backing_usage(struct backing_usage *);

#endif
