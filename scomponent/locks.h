/*
 * Locks: record locks of all files of this component, by what the files are (device and inode), not by what they are
 * called. Owners are members of trees, or open files. They are known here alone: programs of the machine itself that lock
 * the same files are not seen.
 */
#ifndef SCOMPONENT_LOCKS_H
#define SCOMPONENT_LOCKS_H
#include <stdint.h>
#include "ashlar/base/list.h"

struct handle;
struct process;

struct locks {
	struct list files; /* struct locked */
	uint64_t owners;   /* given out */
};

void locks_init(struct locks *);
/* A name for a new owner, never given out again. */
uint64_t locks_owner(struct locks *);
/* The owner is over, or another takes what he has; of tree p, whose count of ranges follows. */
void locks_end(struct locks *, struct process *p, uint64_t owner);
void locks_pass(struct locks *, uint64_t owner, uint64_t to);
/* An open file is closed for good. */
void locks_closed(struct handle *);

#endif
