/*
 * Own locks: the record locks that this process has at the storage component, to take them again after a restart of that, and to
 * know which closes give some up. Not thread-safe: the client's lock is held.
 */
#ifndef PCOMPONENT_FS_OWNLOCKS_H
#define PCOMPONENT_FS_OWNLOCKS_H
#include <stdbool.h>
#include <stdint.h>

struct p2s_lock_req;

/* A request of ours, in our own numbers, was granted. */
void ownlocks_note(const struct p2s_lock_req *);
/* Any at all? Thread-safe: a look without the lock. */
bool ownlocks_any(void);
/* Are there the process's own on the file of this handle? It has none any more. */
bool ownlocks_drop(uint64_t handle);
/* The handle is closed: locks of its open file description are nobody's. */
void ownlocks_closed(uint64_t handle);
/* fork: the child has none of the process's own. */
void ownlocks_child(void);
/*
 * Call fn with a request for each range; its handle is one that is open for it, out of which `usable` picks, or 0.
 * False ends it.
 */
void ownlocks_each(bool (*usable)(uint64_t handle, void *arg), bool (*fn)(const struct p2s_lock_req *, void *arg),
		   void *arg);

#endif
