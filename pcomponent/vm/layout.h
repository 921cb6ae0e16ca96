/* Inside vm/: the state of the layout, and the step that brings memory under the ExCache. */
#ifndef PCOMPONENT_VM_LAYOUT_H
#define PCOMPONENT_VM_LAYOUT_H
#include "pcomponent/vm/table.h"

struct layout {
	uint64_t budget;
	uint64_t mmap_top; /* mappings without a wish go below */
	uint64_t stack_base, stack_low, stack_top;
	uint64_t brk_start, brk_end; /* brk_end: as the program set it, not aligned */
	bool registered;	     /* all of it is under the ExCache */
};
extern struct layout layout;

/* exclusive: enter a mapping that the host kernel has made; under the ExCache at once when everything is. 0 or -errno. */
int layout_add(const struct vma *v, bool *reclaim);
/*
 * exclusive: after the table gained weight. Registers a mapping that needs it, and everything once the weight exceeds
 * the budget. *reclaim is set when the caller must run layout_reclaim after unlocking. 0 or -errno.
 */
int layout_settle(bool *reclaim);
/* Without the lock: bring what is resident below the budget. */
void layout_reclaim(struct thread *t);
/* exclusive: make [start, end) free of mappings: contents, registration, table. */
int layout_clear(uint64_t start, uint64_t end, bool host_too);

/* Names of mapped files, by index; kept for the life of the process. 0: out of memory, or no name. */
uint32_t names_add(const char *path);
const char *names_get(uint32_t i);

#endif
