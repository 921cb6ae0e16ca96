/* madvise(2) and mincore(2). */
#include <errno.h>
#include <sys/mman.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/calls.h"
#include "pcomponent/vm/kept.h"
#include "pcomponent/vm/layout.h"

#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#define CORE_PAGES 16384u /* of one step of mincore */

/* exclusive: contents are given up. */
static int drop(struct vma *v, int advice)
{
	if (v->flags & VMA_FILE)
		return v->flags & VMA_UNREAD ? 0 : layout_unread(v);
	if (madvise((void *)v->start, v->end - v->start, advice))
		return -errno;
	if (v->flags & VMA_REGISTERED)
		excache_forget(v->start, v->end);
	if ((v->flags & VMA_KEPT) && advice == MADV_REMOVE)
		kept_discard(v->start, v->end);
	return 0;
}

/*
 * exclusive: pages that may be taken at any time from now on. Under the ExCache that time is now: else they would be
 * written back for nothing.
 */
static int drop_lazily(struct vma *v)
{
	if (v->flags & (VMA_LOCKED | VMA_FILE))
		return -EINVAL;
	return drop(v, v->flags & VMA_REGISTERED ? MADV_DONTNEED : MADV_FREE);
}

static int flag(struct vma *v, uint32_t set, uint32_t clear)
{
	table_set(v, (v->flags | set) & ~clear, v->prot);
	return 0;
}

/* exclusive: one mapping, wholly inside the range. */
static int advise_one(struct vma *v, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
		return v->flags & VMA_LOCKED ? -EINVAL : drop(v, MADV_DONTNEED);
	case MADV_DONTNEED_LOCKED:
		return drop(v, v->flags & VMA_LOCKED ? MADV_DONTNEED_LOCKED : MADV_DONTNEED);
	case MADV_FREE:
		return drop_lazily(v);
	case MADV_REMOVE:
		return v->flags & VMA_HOST ? drop(v, MADV_REMOVE) : -EINVAL;
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		/* Advice: right also where it is not heard. */
		if (!layout.registered)
			madvise((void *)v->start, v->end - v->start, advice);
		return 0;
	case MADV_COLD:
	case MADV_PAGEOUT:
		return v->flags & VMA_LOCKED ? -EINVAL : 0;
	case MADV_DONTFORK:
		return flag(v, VMA_DONTFORK, 0);
	case MADV_DOFORK:
		return flag(v, 0, VMA_DONTFORK);
	case MADV_WIPEONFORK:
		return v->flags & (VMA_FILE | VMA_HOST | VMA_SHARED) ? -EINVAL : flag(v, VMA_WIPEONFORK, 0);
	case MADV_KEEPONFORK:
		return flag(v, 0, VMA_WIPEONFORK);
	case MADV_DONTDUMP:
		return flag(v, VMA_DONTDUMP, 0);
	case MADV_DODUMP:
		return flag(v, 0, VMA_DONTDUMP);
	default: /* MADV_NORMAL, RANDOM, SEQUENTIAL, WILLNEED, MERGEABLE, UNMERGEABLE */
		return 0;
	}
}

static bool known(uint64_t advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return true;
	default:
		return false;
	}
}

/* exclusive: as Linux, over holes, which are told of at the end. */
static int advise_locked(uint64_t start, uint64_t end, int advice)
{
	int err = table_split(start, end);
	struct vma *v;

	for (v = table_find(start); !err && v && v->start < end; v = table_next(v))
		err = v->flags & VMA_OURS ? -ENOMEM : advise_one(v, advice);
	return !err && !table_covers(start, end) ? -ENOMEM : err;
}

/* Page by page, each with what its mapping allows: without the lock. */
static int populate(uint64_t start, uint64_t end, bool write)
{
	int err = 0;

	for (; !err && start < end; start += PAGE_BYTES) {
		struct vma v;

		if (!layout_look(start, &v))
			return -ENOMEM;
		if (write ? !(v.prot & PROT_WRITE) : !v.prot)
			return -EINVAL;
		v.end = v.end < end ? v.end : end;
		for (; !err && start < v.end; start += PAGE_BYTES)
			err = uaccess_touch(start, write);
		start -= PAGE_BYTES;
	}
	return err;
}

long sys_madvise(struct thread *t, const uint64_t a[6])
{
	uint64_t end;
	int err;

	(void)t;
	if (!known(a[2]))
		return -EINVAL;
	if ((err = vm_range(a[0], a[1], &end)))
		return err;
	if (!a[1])
		return 0;
	if (a[2] == MADV_POPULATE_READ || a[2] == MADV_POPULATE_WRITE)
		return populate(a[0], end, a[2] == MADV_POPULATE_WRITE);
	vm_lock_exclusive();
	err = advise_locked(a[0], end, (int)a[2]);
	vm_unlock_exclusive();
	return err;
}

/* exclusive: pages of [start, end), at most CORE_PAGES. */
static int core_locked(uint64_t start, uint64_t end, unsigned char *vec)
{
	struct vma *v;

	if (!table_covers(start, end))
		return -ENOMEM;
	for (v = table_find(start); v && v->start < end; v = table_next(v)) {
		uint64_t from = v->start > start ? v->start : start, to = v->end < end ? v->end : end;
		unsigned char *at = vec + (from - start) / PAGE_BYTES;

		if (v->flags & VMA_REGISTERED)
			excache_resident(from, to, at);
		else if (mincore((void *)from, to - from, at))
			return -errno;
	}
	return 0;
}

long sys_mincore(struct thread *t, const uint64_t a[6])
{
	uint64_t end, at, to, out = a[2];
	unsigned char *vec;
	long err = 0;

	if (a[0] & (PAGE_BYTES - 1))
		return -EINVAL;
	if (vm_range(a[0], a[1], &end))
		return -ENOMEM;
	vec = sys_scratch(t, CORE_PAGES);
	if (!vec)
		return -EAGAIN;
	for (at = a[0]; !err && at < end; at = to) {
		to = end - at < CORE_PAGES * PAGE_BYTES ? end : at + CORE_PAGES * PAGE_BYTES;
		vm_lock_exclusive();
		err = core_locked(at, to, vec);
		vm_unlock_exclusive();
		if (!err)
			err = uaccess_out(out, vec, (to - at) / PAGE_BYTES);
		out += (to - at) / PAGE_BYTES;
	}
	return err;
}
