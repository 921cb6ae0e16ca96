/* mremap(2): the host kernel moves page tables, the table and the ExCache follow. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/vm/calls.h"
#include "pcomponent/vm/layout.h"

struct remap {
	uint64_t from, from_bytes, to, to_bytes;
	uint32_t flags;
};

/* exclusive: may the mapping at r->from grow in place? */
static bool grows_here(const struct remap *r)
{
	struct vma *next = table_find(r->from + r->from_bytes);
	uint64_t end = r->from + r->to_bytes;

	return end <= layout.mmap_top + (r->from > layout.mmap_top ? WINDOW_END : 0) && (!next || next->start >= end);
}

/* exclusive: where it goes; r->to is set. */
static int choose(struct remap *r)
{
	if (r->flags & MREMAP_FIXED) {
		if ((r->to & (PAGE_BYTES - 1)) || r->to < WINDOW_START || r->to > WINDOW_END - r->to_bytes ||
		    (r->to < r->from + r->from_bytes && r->from < r->to + r->to_bytes))
			return -EINVAL;
		return layout_clear(r->to, r->to + r->to_bytes, true);
	}
	if (!(r->flags & MREMAP_DONTUNMAP) && (r->to_bytes <= r->from_bytes || grows_here(r))) {
		r->to = r->from;
		return 0;
	}
	if (!(r->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	r->to = table_hole(r->to_bytes, layout.mmap_top);
	return r->to ? 0 : -ENOMEM;
}

static bool map_zeros(uint64_t at, uint64_t bytes, uint32_t prot)
{
	return mmap((void *)at, bytes, (int)prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) !=
	       MAP_FAILED;
}

/*
 * Move pages. What is one mapping to the program may be several to the host kernel (it joins less than we do), whose
 * mremap then refuses: so halve until each piece lies in one.
 */
static int move_pages(uint64_t from, uint64_t to, uint64_t bytes)
{
	uint64_t half = (bytes / 2 + PAGE_BYTES - 1) & -PAGE_BYTES;
	int err;

	if (mremap((void *)from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)to) != MAP_FAILED)
		return 0;
	if (errno != EFAULT || bytes == PAGE_BYTES)
		return -errno;
	err = move_pages(from, to, half);
	return err ? err : move_pages(from + half, to + half, bytes - half);
}

/* exclusive: contents of the first `kept` bytes to their new place, the rest of it zeros; the old place is empty. */
static int move_host(const struct remap *r, const struct vma *v, uint64_t kept)
{
	int err;

	if (v->flags & VMA_HOST)
		return mremap((void *)r->from, r->from_bytes, r->to_bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
			      (void *)r->to) == MAP_FAILED
			       ? -errno
			       : 0;
	if ((err = move_pages(r->from, r->to, kept)))
		return err;
	if (r->to_bytes > kept && !map_zeros(r->to + kept, r->to_bytes - kept, v->prot))
		return -ENOMEM;
	if (r->from_bytes > kept && munmap((void *)(r->from + kept), r->from_bytes - kept))
		return -errno;
	return 0;
}

/* exclusive: lines follow their pages. */
static int move_lines(const struct remap *r, uint64_t kept)
{
	int err = excache_move(r->from, r->to, kept);

	if (!err && r->to_bytes > kept)
		err = excache_register(r->to + kept, r->to + r->to_bytes);
	if (r->from_bytes > kept)
		excache_forget(r->from + kept, r->from + r->from_bytes);
	return err;
}

/* exclusive */
static int move(const struct remap *r, struct vma v, bool *reclaim)
{
	uint64_t kept = r->from_bytes < r->to_bytes ? r->from_bytes : r->to_bytes;
	struct vma old = v;
	int err;

	if ((err = move_host(r, &v, kept)))
		return err;
	if ((v.flags & VMA_REGISTERED) && (err = move_lines(r, kept)))
		return err;
	table_remove(r->from, r->from + r->from_bytes);
	v.start = r->to;
	v.end = r->to + r->to_bytes;
	if ((err = table_insert(&v)))
		return err;
	if (!(r->flags & MREMAP_DONTUNMAP))
		return layout_settle(reclaim);
	old.flags &= ~(uint32_t)VMA_REGISTERED;
	return map_zeros(r->from, r->from_bytes, old.prot) ? layout_add(&old, reclaim) : -ENOMEM;
}

/* exclusive */
static int grow(const struct remap *r, struct vma v, bool *reclaim)
{
	uint64_t end = r->from + r->from_bytes;

	if (v.flags & VMA_HOST) {
		if (mremap((void *)r->from, r->from_bytes, r->to_bytes, 0) == MAP_FAILED)
			return -errno;
	} else if (!map_zeros(end, r->to_bytes - r->from_bytes, v.prot)) {
		return -errno;
	}
	if (v.name)
		v.off += end - v.start;
	v.start = end;
	v.end = r->from + r->to_bytes;
	v.flags &= ~(uint32_t)VMA_REGISTERED;
	return layout_add(&v, reclaim);
}

/* exclusive: the address, or -errno */
static int64_t remap_locked(struct remap *r, bool *reclaim)
{
	uint64_t end = r->from + r->from_bytes;
	struct vma *v = table_find(r->from);
	int err;

	if (!v || v->start > r->from || v->end < end || (v->flags & VMA_OURS))
		return -EFAULT;
	if ((r->flags & MREMAP_DONTUNMAP) && (v->flags & VMA_HOST))
		return -EINVAL;
	if ((err = choose(r)) || (err = table_split(r->from, end)))
		return err;
	v = table_find(r->from);
	if (r->to != r->from)
		err = move(r, *v, reclaim);
	else if (r->to_bytes > r->from_bytes)
		err = grow(r, *v, reclaim);
	else if (r->to_bytes < r->from_bytes)
		err = layout_clear(r->from + r->to_bytes, end, true);
	return err ? err : (int64_t)r->to;
}

long sys_mremap(struct thread *t, const uint64_t a[6])
{
	struct remap r = { .from = a[0], .to = a[4], .flags = (uint32_t)a[3] };
	bool reclaim = false;
	int64_t at;

	if ((a[0] & (PAGE_BYTES - 1)) || !a[2] || a[0] >= WINDOW_END || a[1] > WINDOW_END || a[2] > WINDOW_END)
		return -EINVAL;
	if ((r.flags & ~(uint32_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) ||
	    ((r.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(r.flags & MREMAP_MAYMOVE)))
		return -EINVAL;
	r.from_bytes = (a[1] + PAGE_BYTES - 1) & -PAGE_BYTES;
	r.to_bytes = (a[2] + PAGE_BYTES - 1) & -PAGE_BYTES;
	if (!r.from_bytes) /* duplicating shared mappings */
		return -EINVAL;
	if ((r.flags & MREMAP_DONTUNMAP) && r.from_bytes != r.to_bytes)
		return -EINVAL;
	vm_lock_exclusive();
	at = remap_locked(&r, &reclaim);
	vm_unlock_exclusive();
	if (reclaim)
		layout_reclaim(t);
	return at;
}
