/*
 * mlock(2) and its family. Limits count as on Linux. Where memory is under the ExCache the lines of a locked mapping are
 * pinned: once in, they stay, and more than the budget has room for is refused with ENOMEM. They are locked in the host
 * kernel too, where it lets us.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/calls.h"
#include "pcomponent/vm/kept.h"
#include "pcomponent/vm/layout.h"

#define LOCK_FLAGS ((uint32_t)(VMA_LOCKED | VMA_LOCKONFAULT))

bool vm_lock_may(void)
{
	return proc_limit(RLIMIT_MEMLOCK) != 0 || proc_capable(CAP_IPC_LOCK);
}

bool vm_lock_allowed(uint64_t bytes)
{
	uint64_t limit = proc_limit(RLIMIT_MEMLOCK) & -PAGE_BYTES, have = table_sums().locked;

	return (bytes <= limit && have <= limit - bytes) || proc_capable(CAP_IPC_LOCK);
}

static int populate_one(const struct vma *v, uint64_t from, uint64_t to)
{
	int write = (v->prot & PROT_WRITE) != 0;

	if (!v->prot)
		return -ENOMEM;
	for (; from < to; from += PAGE_BYTES)
		if (uaccess_touch(from, write))
			return -ENOMEM;
	return 0;
}

int vm_populate(uint64_t start, uint64_t end)
{
	int err = 0;

	while (!err && start < end) {
		struct vma v;

		if (!layout_look(start, &v))
			return -ENOMEM;
		v.end = v.end < end ? v.end : end;
		/* A host object's page is there or is not: touching is the host kernel's to survive */
		err = v.flags & VMA_HOST ? 0 : populate_one(&v, start, v.end);
		start = v.end;
	}
	return err;
}

/* exclusive: one mapping gets just these of LOCK_FLAGS. */
static int set_one(struct vma *v, uint32_t flags)
{
	int err = 0;

	if ((v->flags & LOCK_FLAGS) == flags || (v->flags & VMA_OURS))
		return 0;
	if (v->flags & VMA_KEPT) {
		err = v->prot ? kept_lock(v, flags) : 0;
	} else if (v->flags & VMA_REGISTERED) {
		if (flags & VMA_LOCKED)
			err = excache_pin(v->start, v->end);
		else if (munlock((void *)v->start, v->end - v->start))
			err = -errno; /* locked there, it could not be evicted */
		else
			excache_unpin(v->start, v->end);
	} else if (!flags) {
		(void)munlock((void *)v->start, v->end - v->start);
	}
	if (!err)
		table_set(v, (v->flags & ~LOCK_FLAGS) | flags, v->prot);
	return err;
}

/* exclusive: up to the first hole, as on Linux; `holes`: over them. */
static int set_range(uint64_t start, uint64_t end, uint32_t flags, bool holes)
{
	uint64_t to = holes ? end : table_covered_to(start, end);
	struct vma *v;
	int err = table_split(start, to);

	for (v = table_find(start); !err && v && v->start < to; v = table_next(v))
		err = set_one(v, flags);
	return err ? err : to < end ? -ENOMEM : 0;
}

/* exclusive: bytes in [start, end) that would be pinned for the first time. */
static uint64_t pinned_anew(uint64_t start, uint64_t end)
{
	uint64_t bytes = 0, from, to;
	struct vma *v;

	for (v = table_find(start); v && v->start < end; v = table_next(v)) {
		if ((v->flags & (VMA_LOCKED | VMA_HOST | VMA_OURS)) || !v->prot)
			continue;
		from = v->start > start ? v->start : start;
		to = v->end < end ? v->end : end;
		bytes += to - from;
	}
	return bytes;
}

/* Contents are there: now the host kernel may hold them too. It has limits of its own, and need not. */
static void lock_host(uint64_t start, uint64_t end, uint32_t flags)
{
	if (flags & VMA_LOCKONFAULT)
		(void)mlock2((void *)start, end - start, MLOCK_ONFAULT);
	else
		(void)mlock((void *)start, end - start);
}

static long lock(uint64_t addr, uint64_t bytes, uint32_t flags)
{
	uint64_t start = addr & -PAGE_BYTES, end;
	int err;

	if (!vm_lock_may())
		return -EPERM;
	if (bytes + (addr - start) < bytes)
		return -EINVAL;
	if ((err = vm_range(start, bytes + (addr - start), &end)))
		return err;
	vm_lock_exclusive();
	if (!vm_lock_allowed(end - start - table_sums_in(start, end).locked) ||
	    layout_pin_room(pinned_anew(start, end)))
		err = -ENOMEM;
	else
		err = set_range(start, end, flags, false);
	vm_unlock_exclusive();
	if (err || (flags & VMA_LOCKONFAULT))
		return err;
	err = vm_populate(start, end);
	if (!err)
		lock_host(start, end, flags);
	return err;
}

long sys_mlock(struct thread *t, const uint64_t a[6])
{
	(void)t;
	return lock(a[0], a[1], VMA_LOCKED);
}

long sys_mlock2(struct thread *t, const uint64_t a[6])
{
	(void)t;
	if (a[2] & ~(uint64_t)MLOCK_ONFAULT)
		return -EINVAL;
	return lock(a[0], a[1], a[2] ? LOCK_FLAGS : VMA_LOCKED);
}

long sys_munlock(struct thread *t, const uint64_t a[6])
{
	uint64_t start = a[0] & -PAGE_BYTES, end;
	int err;

	(void)t;
	if (a[1] + (a[0] - start) < a[1])
		return -EINVAL;
	if ((err = vm_range(start, a[1] + (a[0] - start), &end)))
		return err;
	vm_lock_exclusive();
	err = set_range(start, end, 0, false);
	vm_unlock_exclusive();
	return err;
}

/* exclusive */
static int lock_all(uint32_t flags, bool current)
{
	uint64_t all = table_sums().bytes;

	if (current && all > proc_limit(RLIMIT_MEMLOCK) && !proc_capable(CAP_IPC_LOCK))
		return -ENOMEM;
	if (current && layout_pin_room(pinned_anew(0, WINDOW_END)))
		return -ENOMEM;
	return current ? set_range(0, WINDOW_END, flags, true) : 0;
}

/* Bring in what is mapped, as far as that goes: mlockall does not tell of pages that cannot be had. */
static void populate_all(uint32_t flags)
{
	uint64_t at = 0;

	while (at < WINDOW_END) {
		struct vma v = { .end = WINDOW_END }, *found;

		vm_lock_exclusive();
		if ((found = table_find(at)))
			v = *found;
		vm_unlock_exclusive();
		if (found && !(v.flags & (VMA_OURS | VMA_HOST)) && v.prot && !vm_populate(v.start, v.end))
			lock_host(v.start, v.end, flags);
		at = v.end;
	}
}

long sys_mlockall(struct thread *t, const uint64_t a[6])
{
	uint32_t flags = a[0] & MCL_ONFAULT ? LOCK_FLAGS : VMA_LOCKED;
	int err;

	(void)t;
	if (!a[0] || (a[0] & ~(uint64_t)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || a[0] == MCL_ONFAULT)
		return -EINVAL;
	if (!vm_lock_may())
		return -EPERM;
	vm_lock_exclusive();
	err = lock_all(flags, a[0] & MCL_CURRENT);
	if (!err)
		layout.lock_future = a[0] & MCL_FUTURE ? flags : 0;
	vm_unlock_exclusive();
	if (!err && (a[0] & MCL_CURRENT) && !(flags & VMA_LOCKONFAULT))
		populate_all(flags);
	return err;
}

long sys_munlockall(struct thread *t, const uint64_t a[6])
{
	int err;

	(void)t, (void)a;
	vm_lock_exclusive();
	layout.lock_future = 0;
	err = set_range(0, WINDOW_END, 0, true);
	vm_unlock_exclusive();
	return err;
}
