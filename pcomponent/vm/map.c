/* Making and ending mappings, and their protection. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/vm/layout.h"

#define TOP_32BIT (1UL << 31)
#define HOST_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

int64_t layout_place(uint64_t addr, uint64_t bytes, uint32_t flags)
{
	struct vma *v;
	uint64_t top;

	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (addr & (PAGE_BYTES - 1))
			return -EINVAL;
		if (addr < WINDOW_START)
			return -EPERM;
		if (addr >= WINDOW_END || bytes > WINDOW_END - addr)
			return -ENOMEM;
		v = table_find(addr);
		if ((flags & MAP_FIXED_NOREPLACE) && v && v->start < addr + bytes)
			return -EEXIST;
		return (int64_t)addr;
	}
	addr &= -PAGE_BYTES;
	top = flags & MAP_32BIT ? TOP_32BIT : layout.mmap_top;
	if (addr >= WINDOW_START && addr < top && bytes <= top - addr) {
		v = table_find(addr);
		if (!v || v->start >= addr + bytes + (v->flags & VMA_GROWSDOWN ? TABLE_GAP : 0))
			return (int64_t)addr;
	}
	addr = table_hole(bytes, top);
	return addr ? (int64_t)addr : -ENOMEM;
}

/* exclusive: the host kernel's part of a new anonymous mapping, and the table's. */
static int64_t map_locked(const struct vma *want, uint32_t flags, bool *reclaim)
{
	struct vma v = *want;
	int64_t at = layout_place(v.start, v.end - v.start, flags);
	int err;

	if (at < 0)
		return at;
	v.end = (uint64_t)at + (v.end - v.start);
	v.start = (uint64_t)at;
	if ((err = layout_room(v.start, v.end, v.flags, v.prot)))
		return err;
	if ((v.flags & VMA_LOCKED) && v.prot && layout_pin_room(v.end - v.start))
		return -EAGAIN;
	if ((err = layout_clear(v.start, v.end, false)))
		return err;
	/* Replacing: the host kernel drops what was there, registration included. */
	if (mmap((void *)v.start, v.end - v.start, (int)(v.flags & VMA_UNREAD ? PROT_NONE : v.prot),
		 HOST_FLAGS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	if ((err = layout_add(&v, reclaim))) {
		layout_clear(v.start, v.end, true);
		(void)munmap((void *)v.start, v.end - v.start); /* what the table does not know yet */
		return err;
	}
	return at;
}

uint32_t layout_flags(uint32_t flags)
{
	return (flags & MAP_SHARED ? VMA_SHARED : 0u) | (flags & MAP_NORESERVE ? VMA_NORESERVE : 0u) |
	       (flags & MAP_GROWSDOWN ? VMA_GROWSDOWN : 0u) | (flags & MAP_LOCKED ? VMA_LOCKED : 0u) |
	       layout.lock_future;
}

int64_t vm_map(struct thread *t, uint64_t addr, uint64_t bytes, uint32_t prot, uint32_t flags,
	       const struct vm_file *file)
{
	bool reclaim = false;
	struct vma v = { .start = addr, .end = addr + bytes, .prot = prot };
	int64_t at;

	if (!bytes || addr + bytes < addr)
		return -EINVAL;
	if (bytes >= WINDOW_END)
		return -ENOMEM;
	vm_lock_exclusive();
	v.flags = layout_flags(flags) | (file ? VMA_FILE | VMA_UNREAD : 0u);
	if (file && (prot & PROT_WRITE))
		v.flags |= VMA_WRITTEN;
	if (file && (flags & MAP_SHARED)) /* a shared one is here only if it cannot be written */
		v.flags |= VMA_NOWRITE;
	if (file) {
		v.off = file->off;
		v.name = names_add(file);
	}
	at = file && !v.name ? -ENOMEM : map_locked(&v, flags, &reclaim);
	vm_unlock_exclusive();
	if (reclaim)
		layout_reclaim(t);
	if (at < 0)
		return at;
	if ((flags & MAP_POPULATE) || (v.flags & (VMA_LOCKED | VMA_LOCKONFAULT)) == VMA_LOCKED)
		(void)vm_populate((uint64_t)at, (uint64_t)at + bytes);
	return at;
}

int vm_unmap(uint64_t addr, uint64_t bytes)
{
	uint64_t stop, next, end = addr + bytes;
	const struct vma *ours;
	int err = 0;

	vm_lock_exclusive();
	for (; !err && addr < end; addr = next) {
		ours = table_ours(addr, end);
		stop = ours ? ours->start : end;
		next = ours ? ours->end : end;
		if (addr < stop)
			err = layout_clear(addr, stop, true);
	}
	vm_unlock_exclusive();
	return err;
}

/* exclusive: mappings of [start, end) in the host kernel; what has not been read of a file keeps to have no access. */
static int protect_host(uint64_t start, uint64_t end, uint32_t prot)
{
	struct vma *v;
	uint64_t from = start, to = start;

	for (v = table_find(start); v && v->start < end; v = table_next(v)) {
		if (v->flags & VMA_PAGES) {
			/* Each page gets what it may have at its next touch */
			uint64_t low = v->start > start ? v->start : start, high = v->end < end ? v->end : end;

			if (mprotect((void *)low, high - low, PROT_NONE))
				return -errno;
		}
		if (v->flags & (VMA_UNREAD | VMA_PAGES)) {
			if (from < to && mprotect((void *)from, to - from, (int)prot))
				return -errno;
			from = v->end;
		}
		to = v->end;
	}
	return from < to && mprotect((void *)from, to - from, (int)prot) ? -errno : 0;
}

/* exclusive: do limits and budget have room for that protection of [start, end)? */
static int protect_room(uint64_t start, uint64_t end, uint32_t prot)
{
	uint64_t more_data = 0, more_pinned = 0;
	struct vma *v;

	for (v = table_find(start); v && v->start < end; v = table_next(v)) {
		if ((prot & PROT_WRITE) && (v->flags & VMA_NOWRITE))
			return -EACCES;
		if (table_is_data(v->flags, prot) && !table_is_data(v->flags, v->prot))
			more_data += v->end - v->start;
		if ((v->flags & VMA_LOCKED) && prot && !v->prot)
			more_pinned += v->end - v->start;
	}
	if (more_data && table_sums().data + more_data > proc_limit(RLIMIT_DATA))
		return -ENOMEM;
	return more_pinned ? layout_pin_room(more_pinned) : 0;
}

/* exclusive: [start, end) is mapped throughout. */
static int protect_covered(uint64_t start, uint64_t end, uint32_t prot, bool *reclaim)
{
	struct vma *v;
	int err;

	if ((err = table_split(start, end)) || (err = protect_room(start, end, prot)) ||
	    (err = protect_host(start, end, prot)))
		return err;
	for (v = table_find(start); v && v->start < end; v = table_next(v))
		table_set(v, v->flags | ((v->flags & VMA_FILE) && (prot & PROT_WRITE) ? VMA_WRITTEN : 0u), prot);
	return layout_settle(reclaim);
}

/* exclusive: as Linux, mappings up to the first hole are changed. */
static int protect_locked(uint64_t start, uint64_t end, uint32_t prot, bool *reclaim)
{
	uint64_t to = table_covered_to(start, end);
	int err;

	if (to == start || table_ours(start, to))
		return -ENOMEM;
	err = protect_covered(start, to, prot, reclaim);
	return err ? err : to < end ? -ENOMEM : 0;
}

int vm_protect(struct thread *t, uint64_t addr, uint64_t bytes, uint32_t prot, bool grows_down)
{
	bool reclaim = false;
	uint64_t end = addr + bytes;
	struct vma *v;
	int err = 0;

	vm_lock_exclusive();
	if (grows_down) {
		v = table_find(addr);
		if (!v || v->start >= end)
			err = -ENOMEM;
		else if (!(v->flags & VMA_GROWSDOWN))
			err = -EINVAL;
		else
			addr = v->start;
	}
	if (!err)
		err = protect_locked(addr, end, prot, &reclaim);
	vm_unlock_exclusive();
	if (reclaim)
		layout_reclaim(t);
	return err;
}
