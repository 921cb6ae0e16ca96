/* System calls on memory: check the arguments as Linux does, then change the layout. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "ashlar/base/limits.h"
#include "ashlar/proto/p2s.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/calls.h"
#include "pcomponent/vm/layout.h"

#define MAP_TYPE_MASK 0x0fu
#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)
#define MSYNC_ALL (MS_ASYNC | MS_SYNC | MS_INVALIDATE)

static uint64_t pages_up(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & -PAGE_BYTES;
}

/* A range as munmap and friends take it: 0 or -EINVAL; *end page aligned. */
static int range_check(uint64_t addr, uint64_t bytes, uint64_t *end)
{
	if ((addr & (PAGE_BYTES - 1)) || bytes > WINDOW_END || addr > WINDOW_END - bytes)
		return -EINVAL;
	*end = addr + pages_up(bytes);
	return 0;
}

static long map_fd(struct thread *t, const uint64_t a[6], uint64_t bytes, bool shared)
{
	char path[4096];
	struct wire_stat st;
	struct vm_file file = { .off = a[5], .path = path };
	int64_t at;
	int err;

	err = fs_image_from_fd((int)a[4], &file.image, &st, path, sizeof(path));
	if (err == -ENODEV)
		return vm_map_host(a[0], bytes, (uint32_t)a[2], (uint32_t)a[3], (int)a[4], a[5]);
	if (err)
		return err;
	if (!S_ISREG(st.mode) || (shared && (a[2] & PROT_WRITE))) {
		fs_image_close(file.image);
		return -ENODEV;
	}
	if (st.size > a[5])
		file.bytes = st.size - a[5] < bytes ? st.size - a[5] : bytes;
	at = vm_map(t, a[0], bytes, (uint32_t)a[2], (uint32_t)a[3], &file);
	fs_image_close(file.image);
	return at;
}

long sys_mmap(struct thread *t, const uint64_t a[6])
{
	uint64_t bytes = pages_up(a[1]);
	uint32_t type = a[3] & MAP_TYPE_MASK;

	if (!a[1] || (a[5] & (PAGE_BYTES - 1)))
		return -EINVAL;
	if (bytes < a[1])
		return -ENOMEM;
	if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (a[3] & MAP_HUGETLB)
		return -ENOMEM;
	if (a[3] & MAP_ANONYMOUS) /* shared with nobody while there is no fork */
		return vm_map(t, a[0], bytes, (uint32_t)a[2] & PROT_ALL, (uint32_t)a[3], NULL);
	return map_fd(t, a, bytes, type != MAP_PRIVATE);
}

long sys_munmap(struct thread *t, const uint64_t a[6])
{
	uint64_t end;

	(void)t;
	if (!a[1] || range_check(a[0], a[1], &end))
		return -EINVAL;
	return vm_unmap(a[0], end - a[0]);
}

long sys_mprotect(struct thread *t, const uint64_t a[6])
{
	uint64_t end;

	if (a[2] & ~(uint64_t)PROT_ALL) /* PROT_GROWSDOWN and the like */
		return -EINVAL;
	if (a[0] & (PAGE_BYTES - 1))
		return -EINVAL;
	if (range_check(a[0], a[1], &end))
		return -ENOMEM;
	return a[1] ? vm_protect(t, a[0], end - a[0], (uint32_t)a[2]) : 0;
}

/* ---- brk ---- */

void vm_brk_start(uint64_t addr)
{
	layout.brk_start = layout.brk_end = pages_up(addr);
}

/* exclusive */
static int brk_grow(uint64_t from, uint64_t to, bool *reclaim)
{
	struct vma v = { .start = from, .end = to, .flags = VMA_BRK, .prot = PROT_READ | PROT_WRITE };
	struct vma *next = table_find(from);

	if (to > layout.mmap_top || (next && next->start < to + PAGE_BYTES))
		return -ENOMEM;
	if (mmap((void *)from, to - from, (int)v.prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
	    MAP_FAILED)
		return -ENOMEM;
	if (layout_add(&v, reclaim)) {
		layout_clear(from, to, true);
		return -ENOMEM;
	}
	return 0;
}

long sys_brk(struct thread *t, const uint64_t a[6])
{
	bool reclaim = false;
	uint64_t old, now;
	int err = 0;

	vm_lock_exclusive();
	if (a[0] >= layout.brk_start && a[0] < WINDOW_END) {
		old = pages_up(layout.brk_end);
		now = pages_up(a[0]);
		if (now > old)
			err = brk_grow(old, now, &reclaim);
		else if (now < old)
			err = layout_clear(now, old, true);
		if (!err)
			layout.brk_end = a[0];
	}
	old = layout.brk_end;
	vm_unlock_exclusive();
	if (reclaim)
		layout_reclaim(t);
	return (long)old;
}

/* ---- madvise ---- */

/* exclusive: contents are given up, but for copies of files: vm_refill does those, without the lock. */
static int dontneed(uint64_t start, uint64_t end)
{
	struct vma *v;
	int err = table_split(start, end);

	for (v = table_find(start); !err && v && v->start < end; v = table_next(v)) {
		if (v->flags & VMA_FILE)
			continue;
		if (madvise((void *)v->start, v->end - v->start, MADV_DONTNEED))
			return -errno;
		if (v->flags & VMA_REGISTERED)
			excache_forget(v->start, v->end);
	}
	return err;
}

static int advise_locked(uint64_t start, uint64_t end, int advice)
{
	if (!table_covers(start, end) || table_ours(start, end))
		return -ENOMEM;
	switch (advice) {
	case MADV_DONTNEED:
		return dontneed(start, end);
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		/* Advice: right also where it is not heard. */
		if (!layout.registered)
			madvise((void *)start, end - start, advice);
		return 0;
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_FREE: /* the pages may stay as long as there is memory */
	case MADV_COLD:
	case MADV_DONTFORK: /* no fork yet */
	case MADV_DOFORK:
	case MADV_KEEPONFORK:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
		return 0;
	default:
		return -EINVAL;
	}
}

long sys_madvise(struct thread *t, const uint64_t a[6])
{
	uint64_t end;
	int err;

	if (range_check(a[0], a[1], &end))
		return -EINVAL;
	if (!a[1])
		return 0;
	vm_lock_exclusive();
	err = advise_locked(a[0], end, (int)a[2]);
	vm_unlock_exclusive();
	return !err && a[2] == MADV_DONTNEED ? vm_refill(t, a[0], end) : err;
}

long sys_mincore(struct thread *t, const uint64_t a[6])
{
	uint64_t end, pages, i;
	unsigned char *vec;
	struct vma *v;
	long err = 0;

	(void)t;
	if (range_check(a[0], a[1], &end))
		return a[0] & (PAGE_BYTES - 1) ? -EINVAL : -ENOMEM;
	pages = (end - a[0]) / PAGE_BYTES;
	if (!(vec = calloc(1, pages + 1)))
		return -EAGAIN;
	vm_lock_exclusive();
	if (!table_covers(a[0], end))
		err = -ENOMEM;
	for (v = table_find(a[0]); !err && v && v->start < end; v = table_next(v)) {
		uint64_t from = v->start > a[0] ? v->start : a[0], to = v->end < end ? v->end : end;

		if (v->flags & VMA_REGISTERED)
			excache_resident(from, to, vec + (from - a[0]) / PAGE_BYTES);
		else if (mincore((void *)from, to - from, vec + (from - a[0]) / PAGE_BYTES))
			err = -errno;
	}
	vm_unlock_exclusive();
	for (i = 0; i < pages; i += 4096)
		if (!err && uaccess_out(a[2] + i, vec + i, pages - i < 4096 ? pages - i : 4096))
			err = -EFAULT;
	free(vec);
	return err;
}

long sys_msync(struct thread *t, const uint64_t a[6])
{
	uint64_t end;
	bool covered;

	(void)t;
	if ((a[2] & ~(uint64_t)MSYNC_ALL) || (a[2] & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC) ||
	    (a[0] & (PAGE_BYTES - 1)))
		return -EINVAL;
	if (range_check(a[0], a[1], &end))
		return -ENOMEM;
	/* No mapping of ours is written back to a file; host mappings are the host kernel's. */
	vm_lock_exclusive();
	covered = table_covers(a[0], end);
	vm_unlock_exclusive();
	if (!covered)
		return -ENOMEM;
	return 0;
}

long sys_mlock(struct thread *t, const uint64_t a[6])
{
	uint64_t start = a[0] & -PAGE_BYTES, end, at;

	(void)t;
	if (range_check(start, a[1] + (a[0] - start), &end))
		return -ENOMEM;
	if (end - start > vm_budget())
		return -ENOMEM;
	for (at = start; at < end; at += PAGE_BYTES)
		if (uaccess_touch(at, 0))
			return -ENOMEM;
	return 0;
}
