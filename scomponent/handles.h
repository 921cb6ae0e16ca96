/*
 * Handles of one connection: a table of open files. An id holds the index and the generation of its slot, so that the id
 * of a closed file never means the next one in that slot. Ids are never 0 (that is the export's root). An open file may be
 * in the tables of several connections, under the same id: those of processes that came about by fork.
 */
#ifndef SCOMPONENT_HANDLES_H
#define SCOMPONENT_HANDLES_H
#include <stdbool.h>
#include <stdint.h>
#include "scomponent/texts.h"

struct passed;
struct process;

/* An open file description; closed when nobody has it any more. */
struct handle {
	int fd;
	uint32_t refs, connections; /* all who have it; of these, tables of connections */
	bool append;		    /* O_APPEND is set on fd now */
	uint64_t cookie;	    /* directories: where the last getdents ended */
	uint64_t owner;		    /* of record locks, where it has locker */
	struct process *locker;	    /* tree whose process took a lock for this open file; NULL: none did */
	struct passed *passed;	    /* by what token others take it; NULL: it was never passed */
	struct text *text;	    /* NULL: it neither writes nor runs */
	enum text_use use;
};

struct handle_slot {
	struct handle *file; /* NULL: free */
	uint32_t gen;
	uint32_t next_free; /* index + 1 */
};

struct handle_named {
	uint64_t id;
	struct handle *file;
};

struct handles {
	struct handle_slot *slot;
	uint32_t slots, used, free; /* free: head of the free list, index + 1 */
	uint32_t gen;		    /* of new slots: random, so that ids of other connections miss */
};

struct handle *handle_ref(struct handle *);
void handle_put(struct handle *); /* the last one closes the file */

void handles_init(struct handles *, uint32_t gen);
/* Take over fd. Its id, or 0 when there is no memory (fd is the caller's then). */
uint64_t handles_add(struct handles *, int fd, bool append);
/* The same with an open file that others have already (one more reference). */
uint64_t handles_share(struct handles *, struct handle *);
/*
 * Fill an empty table with files of other tables, under the ids that they have there. Of several with one place the first
 * has it. 0 or -ENOMEM.
 */
int handles_adopt(struct handles *, const struct handle_named *, uint32_t n);
/* NULL: no such file (never, or not any more). */
struct handle *handles_get(const struct handles *, uint64_t id);
/* Each id in turn: the next after `id` (0: the first), 0 at the end. */
uint64_t handles_next(const struct handles *, uint64_t id);
/* 0 or -EBADF. */
int handles_del(struct handles *, uint64_t id);
/* Empty the table; the number of files that were in it. */
uint32_t handles_clear(struct handles *);

#endif
