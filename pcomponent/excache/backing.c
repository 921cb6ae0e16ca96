/*
 * See backing.h. Next fit: taking goes on where the last run ended, so that a batch lies in one piece and freed frames
 * gather into runs until it comes round again. Short runs are passed over while less than a quarter of all frames is
 * free: rather a new slab than many small transfers.
 */
#include <errno.h>
#include "ashlar/base/log.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/memory.h"
#include "pcomponent/excache/slabs.h"

#define RESERVE_FRAMES 128u

static uint32_t cursor; /* slab and frame at which the search goes on */
static uint32_t cursor_frame;

int backing_open(void)
{
	cursor = 1;
	cursor_frame = 0;
	return slabs_open();
}

void backing_close(void)
{
	slabs_close();
}

/* Search all slabs once, from the cursor on, and the part before it last. */
static uint32_t run_find(uint32_t least, uint32_t want)
{
	for (uint32_t k = 0; k <= slabs.end; k++) {
		struct slab *s = cursor < slabs.end ? slabs.at[cursor] : NULL;
		bool from_start = cursor_frame == 0;

		if (s && !s->sealed && s->run_max >= least && !memory_dead(s->component)) {
			uint32_t n = slab_run(s, &cursor_frame, least, want);

			if (n)
				return n;
			if (from_start)
				s->run_max = least - 1;
		}
		cursor = cursor + 1 < slabs.end ? cursor + 1 : 1;
		cursor_frame = 0;
	}
	return 0;
}

static void run_mark(struct slab *s, uint32_t f, uint32_t n, bool use)
{
	for (uint32_t i = f; i < f + n; i++) {
		uint64_t bit = 1ULL << i % 64;

		BUG_ON(!!(s->map[i / 64] & bit) == use);
		s->map[i / 64] ^= bit;
	}
	slab_count(s, false);
	s->free += use ? -n : n;
	slab_count(s, true);
	slabs.place[s->component].used += use ? n : -(uint64_t)n;
}

/* No good run: one in a new slab, or else a bad one. Where there is no frame at all it must be a new slab. */
static uint32_t run_make(uint32_t want, bool patient)
{
	int i = slabs_get(patient && slabs.open.total == slabs.open.used);

	if (i > 0) {
		cursor = (uint32_t)i;
		cursor_frame = 0;
	}
	return run_find(1, want);
}

/* Some frames are kept free, so that a component that does not answer for a while holds nobody up. */
static void reserve_keep(void)
{
	if (slabs.open.total - slabs.open.used < slabs.open.used / 8 + RESERVE_FRAMES)
		(void)slabs_get(false);
}

static int frames_take(unsigned want, uint64_t *loc, bool patient)
{
	bool plenty = (slabs.open.total - slabs.open.used) * 4 > slabs.open.total;
	uint32_t n = run_find(want < RUN_GOOD ? want : RUN_GOOD, want);

	if (!n && plenty)
		n = run_find(1, want);
	if (!n)
		n = run_make(want, patient);
	if (!n)
		return slabs_all_dead() ? -EIO : -ENOMEM;
	run_mark(slabs.at[cursor], cursor_frame, n, true);
	*loc = (uint64_t)cursor << FRAME_BITS | cursor_frame;
	cursor_frame += n;
	slabs_usage_changed();
	return (int)n;
}

int backing_take(unsigned want, uint64_t *loc)
{
	int n = frames_take(want, loc, true);

	if (n == -ENOMEM)
		slabs_say_full();
	return n;
}

int backing_take_quietly(unsigned want, uint64_t *loc)
{
	return frames_take(want, loc, false);
}

void backing_put(uint64_t loc, unsigned n)
{
	struct slab *s = slab_of(loc);

	run_mark(s, frame_of(loc), n, false);
	if (!s->sealed)
		slab_run_grown(s, frame_of(loc));
}

void backing_usage(struct backing_usage *u)
{
	*u = (struct backing_usage){
		.slabs = slabs.open.slabs + slabs.sealed.slabs,
		.frames = slabs.open.total + slabs.sealed.total,
		.used = slabs_used(),
		.sealed_slabs = slabs.sealed.slabs,
		.sealed_frames = slabs.sealed.total,
		.sealed_used = slabs.sealed.used,
	};
}

void backing_trim(void)
{
	/* Reserve: a quarter of what is in use, and two slabs: what one phase of a program frees the next one takes. */
	if (slabs_trim(slabs.open.used / 4 + 2 * SLAB_FRAMES_FIRST))
		return;
	if (slabs.open.used > 0)
		reserve_keep();
	slabs_usage_changed();
}
