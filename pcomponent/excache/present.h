/*
 * Present: which pages of a range are there, so that memory can come under the ExCache while it is in use. Pages that the
 * host kernel has swapped out count: they are not missing to userfaultfd.
 */
#ifndef PCOMPONENT_EXCACHE_PRESENT_H
#define PCOMPONENT_EXCACHE_PRESENT_H
#include <stdbool.h>
#include <stdint.h>

/* Probe for PAGEMAP_SCAN, unless kernel_6_1; STATS_KERNEL_SCAN in *used says that it works. 0 or -errno. */
int present_open(bool kernel_6_1, uint32_t *used);
void present_close(void);
/* As uffd_fork_child. */
void present_fork_child(void);

/* Call fn for each run of pages that are there, ascending. 0 or -errno. */
int present_each(uint64_t start, uint64_t end, void (*fn)(uint64_t vpn, uint64_t pages));

#endif
