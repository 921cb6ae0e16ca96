/*
 * Ring: a bounded queue of one producer and one consumer, without locks. The producer is a port's thread, the consumer
 * whoever is the evictor (reclaim.h: one at a time).
 */
#ifndef PCOMPONENT_EXCACHE_RING_H
#define PCOMPONENT_EXCACHE_RING_H
#include <stdbool.h>
#include <stdint.h>

#define RING_ENTRIES 512u /* power of two */

struct ring_entry {
	uint64_t vpn;
	uint64_t value; /* generation or location */
};

struct ring {
	uint32_t head __attribute__((aligned(64))); /* producer's */
	uint32_t tail __attribute__((aligned(64))); /* consumer's */
	struct ring_entry entry[RING_ENTRIES] __attribute__((aligned(64)));
};

/* Producer: free entries, at least so many. */
static inline unsigned ring_space(const struct ring *r)
{
	return RING_ENTRIES - (r->head - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE));
}

/* Producer; there is space. */
static inline void ring_push(struct ring *r, uint64_t vpn, uint64_t value)
{
	r->entry[r->head % RING_ENTRIES] = (struct ring_entry){ vpn, value };
	__atomic_store_n(&r->head, r->head + 1, __ATOMIC_RELEASE);
}

/* Consumer. */
static inline bool ring_pop(struct ring *r, struct ring_entry *e)
{
	uint32_t tail = r->tail;

	if (tail == __atomic_load_n(&r->head, __ATOMIC_ACQUIRE))
		return false;
	*e = r->entry[tail % RING_ENTRIES];
	__atomic_store_n(&r->tail, tail + 1, __ATOMIC_RELEASE);
	return true;
}

#endif
