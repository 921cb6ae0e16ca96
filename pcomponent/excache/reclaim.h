/*
 * Reclaim: keeps room free ahead of demand. The faulting threads do it themselves, after their own miss, in batches; one
 * at a time is the evictor, the others go on with the room that is left.
 */
#ifndef PCOMPONENT_EXCACHE_RECLAIM_H
#define PCOMPONENT_EXCACHE_RECLAIM_H
#include <stdbool.h>
#include <stdint.h>

struct excache_port;
struct policy_ops;

int reclaim_open(uint64_t budget_lines, const struct policy_ops *);
void reclaim_close(void);

/* Keep as much room free as suits this budget. */
void reclaim_marks_set(uint64_t budget_lines);

/* Be the evictor. Never while holding a line. */
bool reclaim_trylock(void);
void reclaim_lock(void);
void reclaim_unlock(void);

/* Evictor, or faults excluded: take in what the ports have queued. */
void reclaim_collect(void);
/* Faults excluded: a line was made resident (registration, mremap). */
void reclaim_admit(uint64_t vpn, uint32_t gen);

/* Is there less room than should be? */
bool reclaim_due(void);
/* Make room ahead of demand if nobody does already. 0 or -errno of the write-back. */
int reclaim_ahead(struct excache_port *);
/* One batch, if there is less room than should be. The lines evicted, or -errno of the write-back. */
int reclaim_batch(struct excache_port *);
/* Make room for at least so many lines now. 0, -ENOMEM, -EIO. */
int reclaim_now(struct excache_port *, unsigned lines);

#endif
