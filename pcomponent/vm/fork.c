/* The layout in a forked child (vm.h). */
#include <sys/mman.h>
#include "pcomponent/excache/excache.h"
#include "pcomponent/vm/layout.h"

#define PARENTS_OWN ((uint32_t)(VMA_LOCKED | VMA_LOCKONFAULT | VMA_CHARGED))

static void wipe(const struct vma *v)
{
	(void)madvise((void *)v->start, v->end - v->start, MADV_DONTNEED);
	if (v->flags & VMA_REGISTERED)
		excache_forget(v->start, v->end);
}

void vm_forked(void)
{
	struct vma *v;
	uint64_t at;

	layout.lock_future = 0;
	for (v = table_find(0); v; v = table_find(at)) {
		at = v->end;
		/* Where that fails (no memory) it stays: more than was asked for */
		if ((v->flags & VMA_DONTFORK) && !layout_clear(v->start, at, true))
			continue;
		if ((v->flags & VMA_LOCKED) && (v->flags & VMA_REGISTERED))
			excache_unpin(v->start, v->end);
		if (v->flags & VMA_WIPEONFORK)
			wipe(v);
		if (v->flags & PARENTS_OWN)
			table_set(v, v->flags & ~PARENTS_OWN, v->prot);
	}
	charge_now();
}
