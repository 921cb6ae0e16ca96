/* Free runs in a slab: see slab.h. */
#include "pcomponent/excache/slab.h"

/* Free frames in a row from f on, counted up to max. */
static uint32_t run_length(const struct slab *s, uint32_t f, uint32_t max)
{
	uint32_t n = 0;

	while (n < max && f + n < s->frames) {
		uint32_t at = f + n, left = 64 - at % 64;
		uint64_t word = s->map[at / 64] >> at % 64;
		uint32_t free = word ? (uint32_t)__builtin_ctzll(word) : left;

		n += free;
		if (free < left)
			break;
	}
	return n < max ? n : max;
}

/* The first free frame at or after f; the slab's end when there is none. */
static uint32_t frame_free_next(const struct slab *s, uint32_t f)
{
	while (f < s->frames) {
		uint64_t free = ~s->map[f / 64] >> f % 64;

		if (free)
			return f + (uint32_t)__builtin_ctzll(free);
		f = (f / 64 + 1) * 64;
	}
	return s->frames;
}

uint32_t slab_run(const struct slab *s, uint32_t *f, uint32_t least, uint32_t want)
{
	uint32_t at = *f;

	while ((at = frame_free_next(s, at)) < s->frames) {
		uint32_t n = run_length(s, at, want);

		if (n >= least) {
			*f = at;
			return n;
		}
		at += n + 1;
	}
	return 0;
}

void slab_run_grown(struct slab *s, uint32_t f)
{
	uint32_t first = f;

	while (first > 0 && f - first < RUN_GOOD && !(s->map[(first - 1) / 64] >> (first - 1) % 64 & 1))
		first--;
	if (s->run_max < RUN_GOOD) {
		uint32_t n = run_length(s, first, RUN_GOOD);

		/* Runs this long are not told apart: some are longer. */
		if (n == RUN_GOOD)
			n = s->frames;
		s->run_max = s->run_max < n ? n : s->run_max;
	}
}
