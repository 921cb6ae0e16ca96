/*
 * The table of mappings, sorted by address, and what the process may write in all. All calls under the layout lock:
 * looking needs it shared, changing exclusive.
 */
#ifndef PCOMPONENT_VM_TABLE_H
#define PCOMPONENT_VM_TABLE_H
#include "pcomponent/vm/vm.h"

/* First mapping that ends above addr, or NULL. The pointer holds until the next change. */
struct vma *table_find(uint64_t addr);
struct vma *table_next(struct vma *v);
struct vma *table_prev(struct vma *v);
/* Add a mapping where none is; neighbours alike are joined. 0 or -ENOMEM. */
int table_insert(const struct vma *v);
/* Make start and end borders of mappings where they fall inside one. 0 or -ENOMEM. */
int table_split(uint64_t start, uint64_t end);
/* Forget all mappings within [start, end), which are borders. */
void table_remove(uint64_t start, uint64_t end);
/* The first address from start on that is not mapped, at most end. */
uint64_t table_covered_to(uint64_t start, uint64_t end);
/* Is every page of [start, end) mapped? */
bool table_covers(uint64_t start, uint64_t end);
/* The first mapping in [start, end) that is the dispatcher's (VMA_OURS), or NULL. */
const struct vma *table_ours(uint64_t start, uint64_t end);
/* A hole of bytes below top, searched downwards, TABLE_GAP away from what grows down; 0: none. */
uint64_t table_hole(uint64_t bytes, uint64_t top);
#define TABLE_GAP (1UL << 20) /* what grows down stays so far away from its lower neighbour */
/* Change of flags or protection of a mapping in place (its weight changes). */
void table_set(struct vma *v, uint32_t flags, uint32_t prot);
/* Bytes that count against the budget; also without the lock, of some moment then. */
uint64_t table_weight(void);
/* Is b the continuation of a, in all that the program can tell? */
bool table_goes_on(const struct vma *a, const struct vma *b);
/* The size above which a NORESERVE mapping does not count. */
void table_set_noreserve_max(uint64_t bytes);
bool table_counts(const struct vma *v);

/* Bytes of the program's mappings, as limits count them. */
struct table_sums {
	uint64_t bytes;	  /* all: RLIMIT_AS */
	uint64_t peak;	  /* the most of it that there was */
	uint64_t data;	  /* private, writable, no stack: RLIMIT_DATA */
	uint64_t locked;  /* RLIMIT_MEMLOCK */
	uint64_t charged; /* shared memory */
	uint64_t pinned;  /* locked, with contents that the ExCache would hold */
};
struct table_sums table_sums(void);
/* Of the parts in [start, end) alone. */
struct table_sums table_sums_in(uint64_t start, uint64_t end);
/* Data by this measure? */
bool table_is_data(uint32_t flags, uint32_t prot);

#endif
