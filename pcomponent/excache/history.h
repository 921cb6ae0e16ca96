/*
 * History of a line: whether a page that is read in by a read will be written while it is here. If so it is better mapped
 * writable at once, as dirty: the fault of the first write costs more than writing back a page that did not change
 * (3.5 us against 1; 13 with a second running thread). Programs that count references write nearly all that they read.
 *
 * Learned from lines that were read in protected: written later (a fault), the level rises, and so many more readings are
 * predicted as the level says (1, 3, 7); then one is protected again, to see. Not written while it was here: level 0. So a
 * page that is no longer written is written back in vain 7 times at most, after it was found written three times.
 */
#ifndef PCOMPONENT_EXCACHE_HISTORY_H
#define PCOMPONENT_EXCACHE_HISTORY_H
#include <stdbool.h>
#include <stdint.h>

#define HISTORY_OPEN 1u /* read in protected, and neither written nor cleaned since: what comes now is learned */
#define HISTORY_LEVEL_MAX 3u

static inline uint32_t history_level(uint32_t h)
{
	return h >> 1 & 3;
}
static inline uint32_t history_credit(uint32_t h)
{
	return h >> 3;
}
static inline uint32_t history_pack(uint32_t level, uint32_t credit, bool open)
{
	return (open ? HISTORY_OPEN : 0) | level << 1 | credit << 3;
}

/* The line is read in by a read: map it writable? */
static inline bool history_predicts(uint32_t h)
{
	return history_credit(h) > 0;
}
/* The history of the residence that begins by it. */
static inline uint32_t history_read(uint32_t h)
{
	if (history_predicts(h))
		return history_pack(history_level(h), history_credit(h) - 1, false);
	return history_pack(history_level(h), 0, true);
}
/* It is read in by a write: nothing can be learned. */
static inline uint32_t history_write(uint32_t h)
{
	return h & ~HISTORY_OPEN;
}
/* A protected line is written. */
static inline uint32_t history_written(uint32_t h)
{
	uint32_t level = history_level(h);

	if (!(h & HISTORY_OPEN))
		return h;
	level = level < HISTORY_LEVEL_MAX ? level + 1 : level;
	return history_pack(level, (1u << level) - 1, false);
}
/* A clean line leaves. */
static inline uint32_t history_left(uint32_t h)
{
	return h & HISTORY_OPEN ? 0 : h;
}

#endif
