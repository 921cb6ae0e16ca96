/* What grows down: the main stack and mappings made with MAP_GROWSDOWN. Nothing is mapped where they have not grown to. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "ashlar/base/limits.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/vm/layout.h"

#define FIRST_BYTES (128UL << 10)
#define STEP_BYTES (64UL << 10)
#define ROOM_BYTES_MIN (128UL << 20) /* kept free of mappings without a wish, as Linux does: limits may rise */
#define ROOM_BYTES_MAX (4UL << 30)
#define KEPT (VMA_GROWSDOWN | VMA_STACK | VMA_LOCKED | VMA_LOCKONFAULT | VMA_DONTFORK | VMA_WIPEONFORK | VMA_DONTDUMP)

int stack_make(void)
{
	struct vma v = { .start = WINDOW_STACK_TOP - FIRST_BYTES,
			 .end = WINDOW_STACK_TOP,
			 .flags = VMA_STACK | VMA_GROWSDOWN,
			 .prot = PROT_READ | PROT_WRITE };
	uint64_t room = proc_limit(RLIMIT_STACK);

	room = room < ROOM_BYTES_MIN ? ROOM_BYTES_MIN : room > ROOM_BYTES_MAX ? ROOM_BYTES_MAX : room;
	layout.mmap_top = (WINDOW_STACK_TOP - room - TABLE_GAP) & -PAGE_BYTES;
	if (mmap((void *)v.start, FIRST_BYTES, (int)v.prot,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		return -errno;
	return table_insert(&v);
}

uint64_t vm_stack_top(void)
{
	return WINDOW_STACK_TOP;
}

void vm_stack_start(uint64_t sp)
{
	layout.stack_start = sp;
}

/* exclusive: how far down v may reach at least to addr; 0: not so far. */
static uint64_t low_for(const struct vma *v, const struct vma *prev, uint64_t addr)
{
	uint64_t low = addr & -PAGE_BYTES, end = v->flags & VMA_STACK ? WINDOW_STACK_TOP : v->end;
	uint64_t least = WINDOW_START, limit = proc_limit(RLIMIT_STACK);

	if (end - least > limit)
		least = (end - limit + PAGE_BYTES - 1) & -PAGE_BYTES;
	if (prev) {
		bool apart = prev->prot && !(prev->flags & VMA_GROWSDOWN);
		uint64_t border = prev->end + (apart ? TABLE_GAP : 0);

		least = least < border ? border : least;
	}
	if (low < least)
		return 0;
	/* The main stack goes on growing: a few pages more now, and fewer faults */
	if ((v->flags & VMA_STACK) && (low & -STEP_BYTES) >= least)
		low &= -STEP_BYTES;
	return low;
}

/* exclusive */
static bool grow_locked(uint64_t addr, bool *reclaim)
{
	struct vma *above = table_find(addr), v;
	uint64_t low;

	if (!above || !(above->flags & VMA_GROWSDOWN))
		return false;
	if (above->start <= addr)
		return true; /* another thread was faster */
	low = low_for(above, table_prev(above), addr);
	if (!low || layout_room(low, above->start, above->flags, above->prot))
		return false;
	v = (struct vma){ .start = low, .end = above->start, .flags = above->flags & KEPT, .prot = above->prot };
	if ((v.flags & VMA_LOCKED) && layout_pin_room(v.end - v.start))
		return false;
	if (mmap((void *)low, v.end - low, (int)v.prot,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		return false;
	if (!layout_add(&v, reclaim))
		return true;
	(void)layout_clear(v.start, v.end, true);
	return false;
}

bool vm_fault_grow(struct thread *t, uint64_t addr)
{
	bool grown, reclaim = false;

	vm_lock_exclusive();
	grown = grow_locked(addr, &reclaim);
	vm_unlock_exclusive();
	if (reclaim)
		layout_reclaim(t);
	return grown;
}
