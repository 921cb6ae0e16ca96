/*
 * Write-back: where the evictor finds the contents of the lines that it writes back: one slot per line of a segment.
 * Where the fabric takes any memory a slot is the program's own page, protected as it is, so nothing is copied; else, and
 * where the program may not read its page (PROT_NONE), a page of ours that it was copied to. Never faults.
 */
#ifndef PCOMPONENT_EXCACHE_WRITEBACK_H
#define PCOMPONENT_EXCACHE_WRITEBACK_H
#include <stdint.h>
#include "ashlar/net.h"

/* peek: see excache.h. 0 or -ENOMEM. */
int writeback_open(int (*peek)(void *dst, uint64_t src, size_t n));
void writeback_close(void);
/* In the child of a fork: what was registered memory is made anew when it is needed. */
void writeback_fork_child(int (*peek)(void *dst, uint64_t src, size_t n));

/* Fill slots 0..n-1 from n present pages, ascending; bit i of *zeros: page i is all zeros. 0 or -errno. */
int writeback_read(const uint64_t *vpn, unsigned n, uint64_t *zeros);

/* Slot i as a page of our own, for one transfer into it. 0 or -ENOMEM. */
int writeback_slot(unsigned i, struct net_sge *sge);

/* The pieces of slots slot[0..n-1] in a row, for one transfer; at most n. */
unsigned writeback_sge(const uint8_t *slot, unsigned n, struct net_sge *sge);

#endif
