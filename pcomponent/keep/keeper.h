/*
 * The keeper: a process of a tree that runs no program. It holds the shared memory that does not fit: segments (memory
 * files: anonymous shared memory, memfd, /dev/shm) that processes of the tree map, as lines of its own ExCache.
 *
 * Each process that maps such a segment registers the mapping with a userfaultfd and gives that to the keeper, so its
 * misses and writes to protected pages come here as events, while its thread sleeps in the host kernel. The keeper answers
 * them by the same state machine as every ExCache (docs/memory-model.md); only its host operations differ: a page is
 * protected in all processes, dropped by taking it out of the object, and brought in by putting it there. So what a killed
 * process was about is of no matter to the others: no state of a page is in its hands.
 *
 * It is a member of the tree, with a number and a part of the ExCache, and ends with the last process that knows it. What
 * others may still find by then (a name in /dev/shm, a descriptor) is given back to the host kernel whole.
 */
#ifndef PCOMPONENT_KEEP_KEEPER_H
#define PCOMPONENT_KEEP_KEEPER_H
#include <stdint.h>

/*
 * The process's life, once it has joined the rack: first is the socket of the process that started it, listener the one that
 * others find it by. Does not return.
 */
void keeper_run(int first, int listener) __attribute__((noreturn));
/* Its host operations, for its ExCache. */
struct excache_shared;
extern const struct excache_shared keeper_shared;

/* Bind the name of that tree's keeper. A descriptor, or -errno; -EADDRINUSE: there is one. */
int keeper_listen(uint32_t pid, const char *daemon);

#endif
