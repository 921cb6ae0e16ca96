/*
 * Handles of one connection: a table of open files. An id holds the index and the generation of its slot, so that the id
 * of a closed file never means the next one in that slot. Ids are never 0 (that is the export's root).
 */
#ifndef SCOMPONENT_HANDLES_H
#define SCOMPONENT_HANDLES_H
#include <stdbool.h>
#include <stdint.h>

struct handle {
	int fd; /* -1: free */
	uint32_t gen;
	uint32_t next_free; /* index + 1 */
	bool append;	    /* O_APPEND is set on fd now */
	uint64_t cookie;    /* directories: where the last getdents ended */
};

struct handles {
	struct handle *slot;
	uint32_t slots, used, free; /* free: head of the free list, index + 1 */
	uint32_t gen;		    /* of new slots: random, so that ids of other connections miss */
};

void handles_init(struct handles *, uint32_t gen);
/* Take over fd. Its id, or 0 when there is no memory. */
uint64_t handles_add(struct handles *, int fd, bool append);
/* NULL: no such file (never, or not any more). The pointer is valid until the next handles_add. */
struct handle *handles_get(struct handles *, uint64_t id);
/* 0 or -EBADF. Closes the descriptor. */
int handles_del(struct handles *, uint64_t id);
/* Close all; the number of them. */
uint32_t handles_clear(struct handles *);

#endif
