/*
 * Page map: tells each memory component which page its frames hold, in batches and without waiting for it. Only a copy:
 * the lines decide. Called by the evictor or with faults excluded, but for pagemap_flush.
 */
#ifndef PCOMPONENT_EXCACHE_PAGEMAP_H
#define PCOMPONENT_EXCACHE_PAGEMAP_H
#include <stdint.h>

/* The frame of a slab (id of the component) now holds vpn. */
void pagemap_set(uint32_t component, uint64_t vpn, uint64_t slab, uint32_t frame);
/* The component holds nothing for vpn any more. */
void pagemap_clear(uint32_t component, uint64_t vpn);
/*
 * Send what waits; 0, or -EAGAIN when the component takes no more messages now (it is stopped, or busy). Any thread.
 * A slab is only given back after this.
 */
int pagemap_flush(uint32_t component);
void pagemap_close(void);
/* Around a fork: -ETIMEDOUT: a component takes no messages. lock: nothing waits and nothing comes. child: begin anew. */
int pagemap_settle(uint32_t component);
void pagemap_fork_lock(void);
void pagemap_fork_unlock(void);
void pagemap_fork_child(void);

#endif
