/* mremap(2): the host kernel moves page tables, the table and the ExCache follow. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/vm/calls.h"
#include "pcomponent/vm/kept.h"
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
	if (r->from_bytes && !(r->flags & MREMAP_DONTUNMAP) && (r->to_bytes <= r->from_bytes || grows_here(r))) {
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

/*
 * The same for what is registered. The host kernel takes the registration from what it moves, and where it has joined that
 * to a neighbour by then, from all of the neighbour too, whose missing pages would be zeros. What reads at random is not
 * joined to what does not; the flag means nothing else for anonymous memory, and advice of the program's never sets it.
 */
static int move_registered(uint64_t from, uint64_t to, uint64_t bytes)
{
	int err;

	if (madvise((void *)from, bytes, MADV_RANDOM))
		return -errno;
	if ((err = move_pages(from, to, bytes)))
		return err;
	err = excache_move(from, to, bytes);
	if (!err && madvise((void *)to, bytes, MADV_NORMAL))
		err = -errno;
	return err;
}

/* exclusive: what a mapping loses when its pages move away or end. */
static void leave(const struct vma *v)
{
	if (v->flags & VMA_LOCKED)
		excache_unpin(v->start, v->end);
}

static int move_object(uint64_t from, uint64_t from_bytes, uint64_t to_bytes, uint32_t flags, uint64_t to)
{
	flags = (flags & MREMAP_DONTUNMAP) | MREMAP_MAYMOVE | MREMAP_FIXED;
	return mremap((void *)from, from_bytes, to_bytes, (int)flags, (void *)to) == MAP_FAILED ? -errno : 0;
}

/*
 * exclusive: the same for what the keeper has. The host kernel takes the registration from what it moves, so that has no
 * access until it is registered again.
 */
static int move_kept(const struct vma *v, uint64_t to, uint64_t to_bytes, uint32_t flags)
{
	struct vma moved = *v;
	int err;

	moved.start = to;
	moved.end = to + to_bytes;
	if (mprotect((void *)v->start, v->end - v->start, PROT_NONE))
		return -errno;
	err = move_object(v->start, v->end - v->start, to_bytes, flags, to);
	if (!err)
		err = kept_map_like(&moved, v->start);
	if (!err && (flags & MREMAP_DONTUNMAP))
		return kept_map_like(v, v->start);
	if (!err)
		kept_unmap(v->start, v->end);
	return err;
}

/* exclusive: one mapping, v, wholly to `to`; a host object's grows on the way. Its lines follow. */
static int move_one(const struct vma *v, uint64_t to, uint64_t more, uint32_t flags)
{
	uint64_t bytes = v->end - v->start;
	int err;

	if (v->flags & VMA_KEPT)
		return move_kept(v, to, bytes + more, flags);
	if (v->flags & VMA_HOST)
		return move_object(v->start, bytes, bytes + more, flags, to);
	if (!(v->flags & VMA_REGISTERED))
		return move_pages(v->start, to, bytes);
	leave(v);
	err = move_registered(v->start, to, bytes);
	return !err && (v->flags & VMA_LOCKED) ? excache_pin(to, to + bytes) : err;
}

/* exclusive: what was there stays mapped, empty, or as its file has it. */
static int leave_empty(struct vma old, bool *reclaim)
{
	uint32_t prot = old.flags & VMA_FILE ? PROT_NONE : old.prot;

	old.flags &= ~(uint32_t)(VMA_REGISTERED | VMA_LOCKED | VMA_LOCKONFAULT);
	old.flags |= old.flags & VMA_FILE ? VMA_UNREAD : 0u;
	return map_zeros(old.start, old.end - old.start, prot) ? layout_add(&old, reclaim) : -ENOMEM;
}

/*
 * exclusive: the part of a mapping like v, from `at` on, that it did not have before: zeros, or what its file holds there,
 * which comes when it is touched.
 */
static int grow_at(uint64_t at, uint64_t bytes, struct vma v, bool *reclaim)
{
	bool file = v.flags & VMA_FILE;
	int err;

	if (!map_zeros(at, bytes, file ? PROT_NONE : v.prot))
		return -errno;
	if (v.name)
		v.off += v.end - v.start;
	v.start = at;
	v.end = at + bytes;
	v.flags &= ~(uint32_t)VMA_REGISTERED;
	if (file)
		v.flags |= VMA_UNREAD;
	if ((err = layout_add(&v, reclaim)))
		(void)layout_clear(v.start, v.end, true);
	return err;
}

/* exclusive: all of r, which begins and ends at borders, to its new place. */
static int move(const struct remap *r, bool *reclaim)
{
	uint64_t end = r->from + r->from_bytes, more = r->to_bytes - r->from_bytes, at;
	struct vma v = { 0 };
	int err;

	for (at = r->from; at < end; at = v.end) {
		struct vma moved;

		v = moved = *table_find(at);
		moved.start = r->to + (at - r->from);
		moved.end = moved.start + (v.end - v.start) + (v.end == end && (v.flags & VMA_HOST) ? more : 0);
		if ((err = move_one(&v, moved.start, v.end == end ? more : 0, r->flags)))
			return err;
		if ((r->flags & MREMAP_DONTUNMAP) && (v.flags & VMA_HOST)) { /* both show the object */
			if ((err = table_insert(&moved)))
				return err;
			continue;
		}
		table_remove(v.start, v.end);
		if ((err = table_insert(&moved)) || ((r->flags & MREMAP_DONTUNMAP) && (err = leave_empty(v, reclaim))))
			return err;
	}
	if (more && !(v.flags & VMA_HOST) && (err = grow_at(r->to + r->from_bytes, more, v, reclaim)))
		return err;
	return layout_settle(reclaim);
}

/* exclusive */
static int grow(const struct remap *r, bool *reclaim)
{
	uint64_t end = r->from + r->from_bytes, more = r->to_bytes - r->from_bytes;
	struct vma v = *table_find(end - PAGE_BYTES);
	int err;

	if (!(v.flags & VMA_HOST))
		return grow_at(end, more, v, reclaim);
	if (mremap((void *)r->from, r->from_bytes, r->to_bytes, 0) == MAP_FAILED)
		return -errno;
	v.off += v.end - v.start;
	v.start = end;
	v.end = end + more;
	err = v.flags & VMA_KEPT ? kept_map_like(&v, r->from) : 0;
	if (!err)
		err = table_insert(&v);
	return err ? err : layout_settle(reclaim);
}

/* exclusive: does [from, end) lie in one mapping? What the program made as one may be several here. */
static bool one_mapping(uint64_t from, uint64_t end)
{
	struct vma *v = table_find(from), *next;

	if (!v || v->start > from || (v->flags & VMA_OURS))
		return false;
	for (; v->end < end; v = next)
		if (!(next = table_next(v)) || !table_goes_on(v, next))
			return false;
	return true;
}

/* exclusive: room for what r adds to a mapping like v. */
static int room_for(const struct remap *r, const struct vma *v)
{
	uint64_t more = r->flags & MREMAP_DONTUNMAP ? r->to_bytes : r->to_bytes - r->from_bytes, at = WINDOW_END;

	if (!more)
		return 0;
	if (v->flags & VMA_LOCKED) {
		if (!vm_lock_allowed(more))
			return -EAGAIN;
		if (layout_pin_room(more))
			return -ENOMEM;
	}
	return layout_room(at, at + more, v->flags, v->prot);
}

/* exclusive: no bytes of a shared mapping are moved: a second mapping of what is behind r->from. */
static int64_t duplicate(struct remap *r, struct vma v, bool *reclaim)
{
	int err;

	if ((v.flags & (VMA_HOST | VMA_SHARED)) != (VMA_HOST | VMA_SHARED))
		return -EINVAL;
	if (!(r->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	if ((err = room_for(r, &v)) || (err = choose(r)) || (err = move_object(r->from, 0, r->to_bytes, 0, r->to)))
		return err;
	v.off += r->from - v.start;
	v.start = r->to;
	v.end = r->to + r->to_bytes;
	if ((v.flags & VMA_KEPT) && (err = kept_map_like(&v, r->from)))
		return err;
	err = layout_add(&v, reclaim);
	return err ? err : (int64_t)r->to;
}

/* exclusive: the address, or -errno. *grown: locked memory is to be brought in behind what there was. */
static int64_t remap_locked(struct remap *r, bool *reclaim, bool *grown)
{
	struct vma *v = table_find(r->from);
	int err;

	if (!v || v->start > r->from || (v->flags & VMA_OURS))
		return -EFAULT;
	if (!r->from_bytes)
		return duplicate(r, *v, reclaim);
	if (r->to_bytes < r->from_bytes) {
		if ((err = layout_clear(r->from + r->to_bytes, r->from + r->from_bytes, true)))
			return err;
		r->from_bytes = r->to_bytes;
		if (!(r->flags & MREMAP_FIXED))
			return (int64_t)r->from;
	}
	if (!one_mapping(r->from, r->from + r->from_bytes))
		return -EFAULT;
	*grown = (v->flags & (VMA_LOCKED | VMA_LOCKONFAULT)) == VMA_LOCKED;
	if ((err = room_for(r, v)) || (err = choose(r)) || (err = table_split(r->from, r->from + r->from_bytes)))
		return err;
	if (r->to != r->from)
		err = move(r, reclaim);
	else if (r->to_bytes > r->from_bytes)
		err = grow(r, reclaim);
	return err ? err : (int64_t)r->to;
}

long sys_mremap(struct thread *t, const uint64_t a[6])
{
	struct remap r = { .from = a[0], .to = a[4], .flags = (uint32_t)a[3] };
	bool reclaim = false, grown = false;
	int64_t at;

	if ((a[0] & (PAGE_BYTES - 1)) || !a[2])
		return -EINVAL;
	if ((r.flags & ~(uint32_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) ||
	    ((r.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(r.flags & MREMAP_MAYMOVE)))
		return -EINVAL;
	if (a[0] >= WINDOW_END || a[1] > WINDOW_END)
		return -EFAULT;
	if (a[2] > WINDOW_END)
		return -ENOMEM;
	r.from_bytes = (a[1] + PAGE_BYTES - 1) & -PAGE_BYTES;
	r.to_bytes = (a[2] + PAGE_BYTES - 1) & -PAGE_BYTES;
	if ((r.flags & MREMAP_DONTUNMAP) && r.from_bytes != r.to_bytes)
		return -EINVAL;
	vm_lock_exclusive();
	at = remap_locked(&r, &reclaim, &grown);
	vm_unlock_exclusive();
	if (reclaim)
		layout_reclaim(t);
	if (at > 0 && grown && r.to_bytes > r.from_bytes)
		(void)vm_populate((uint64_t)at + r.from_bytes, (uint64_t)at + r.to_bytes);
	names_reap();
	return at;
}
