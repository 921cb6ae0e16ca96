/* The way to the keeper of the tree's shared memory (pcomponent/keep/keeper.h). */
#ifndef PCOMPONENT_PROC_KEEP_H
#define PCOMPONENT_PROC_KEEP_H
#include <stdbool.h>

struct thread;

/*
 * A connection to it; it is started, as a member of the tree, if there is none and t is not NULL (then no lock is held). A
 * descriptor above the floor, or -errno: -ECONNREFUSED there is none.
 */
int keep_connect(struct thread *t);

#endif
