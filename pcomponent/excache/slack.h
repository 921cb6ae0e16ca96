/*
 * Slack: frames that are held and not in use. Forks seal slabs for good, and a sealed slab goes back only when all of its
 * frames are free; so lines are moved out of the sparsest. See docs/memory-model.md for the bound.
 */
#ifndef PCOMPONENT_EXCACHE_SLACK_H
#define PCOMPONENT_EXCACHE_SLACK_H

struct excache_port;

#define SLACK_FORK_PAGES 512u	/* moved before a fork, at most */
#define SLACK_BATCH_PAGES 64u	/* and with each batch of evictions, */
#define SLACK_BATCH_LOOK 32768u /* looking at so many lines: 0.1 ms */

/* Evictor. Move up to so many pages, if there is more slack than there should be, looking at `look` lines at most. */
void slack_close(void);
void slack_reduce(struct excache_port *, unsigned pages, unsigned long look);

#endif
