/* System calls on memory: check the arguments as Linux does, then change the layout. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "ashlar/base/limits.h"
#include "ashlar/proto/p2s.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/vm/calls.h"
#include "pcomponent/vm/layout.h"

#define MAP_TYPE_MASK 0x0fu
#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)
#define PROT_GROWS (PROT_GROWSDOWN | PROT_GROWSUP)
/* What MAP_SHARED_VALIDATE accepts: the flags that Linux knew when it came, and no others. */
#define MAP_KNOWN                                                                                                 \
	(MAP_TYPE_MASK | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE | \
	 MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_FIXED_NOREPLACE)
#define PROT_SEM 8
#define MSYNC_ALL (MS_ASYNC | MS_SYNC | MS_INVALIDATE)

static uint64_t pages_up(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & -PAGE_BYTES;
}

int vm_range(uint64_t addr, uint64_t bytes, uint64_t *end)
{
	if ((addr & (PAGE_BYTES - 1)) || pages_up(bytes) < bytes || addr + pages_up(bytes) < addr)
		return -EINVAL;
	*end = addr + pages_up(bytes);
	if (bytes && *end > WINDOW_END)
		return -ENOMEM;
	return 0;
}

/* Mapping it is an old way to get anonymous memory. */
static bool is_zero_device(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 5);
}

static long map_anonymous(struct thread *t, const uint64_t a[6], uint64_t bytes, bool shared)
{
	const uint64_t b[6] = { a[0], a[1], a[2] & PROT_ALL, a[3] | MAP_ANONYMOUS, ~0UL, 0 };

	return shared ? vm_map_host(t, b, bytes) : vm_map(t, a[0], bytes, (uint32_t)b[2], (uint32_t)b[3], NULL);
}

static bool is_shared(const struct vm_file *file)
{
	bool is;

	vm_lock_exclusive();
	is = names_shared(file->ino, file->dev) != 0;
	vm_unlock_exclusive();
	return is;
}

static long map_fd(struct thread *t, const uint64_t a[6], uint64_t bytes, bool shared)
{
	char path[4096];
	struct fs_version which;
	struct vm_file file = { .off = a[5], .path = path };
	bool writable;
	int64_t at;
	int err;

	err = fs_image_from_fd((int)a[4], &file.image, &which, path, sizeof(path));
	if (err == -ENODEV && is_zero_device((int)a[4]))
		return map_anonymous(t, a, bytes, shared);
	if (err == -ENODEV)
		return vm_map_host(t, a, bytes);
	if (err)
		return err;
	writable = fs_image_writable(file.image);
	if (!S_ISREG(which.mode) || (shared && (a[2] & PROT_WRITE) && !writable)) {
		fs_image_close(file.image);
		return S_ISREG(which.mode) ? -EACCES : -ENODEV;
	}
	file.ino = which.ino;
	file.dev = which.dev;
	if (shared && (writable || is_shared(&file)))
		at = vm_map_pages(t, a, bytes, &file);
	else
		at = vm_map(t, a[0], bytes, (uint32_t)a[2], (uint32_t)a[3], &file);
	fs_image_close(file.image);
	return at;
}

long sys_mmap(struct thread *t, const uint64_t a[6])
{
	uint64_t bytes = pages_up(a[1]);
	uint32_t type = a[3] & MAP_TYPE_MASK;
	long ret;

	if (!a[1] || (a[5] & (PAGE_BYTES - 1)))
		return -EINVAL;
	if (bytes < a[1])
		return -ENOMEM;
	if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (a[3] & MAP_HUGETLB)
		return -ENOMEM;
	if (type == MAP_SHARED_VALIDATE && (a[3] & ~(uint64_t)MAP_KNOWN))
		return -EOPNOTSUPP;
	if (a[3] & MAP_LOCKED) {
		if (!vm_lock_may())
			return -EPERM;
		if (!vm_lock_allowed(bytes))
			return -EAGAIN;
	}
	if (a[3] & MAP_ANONYMOUS)
		return map_anonymous(t, a, bytes, type != MAP_PRIVATE);
	ret = map_fd(t, a, bytes, type != MAP_PRIVATE);
	names_reap();
	return ret;
}

long sys_munmap(struct thread *t, const uint64_t a[6])
{
	uint64_t end;
	long ret;

	(void)t;
	if (!a[1] || (a[0] & (PAGE_BYTES - 1)) || a[1] > USER_END || a[0] > USER_END - a[1])
		return -EINVAL;
	/* What lies behind the window is not there for the program */
	end = a[0] + pages_up(a[1]);
	if (end > WINDOW_END)
		end = WINDOW_END;
	if (a[0] >= end)
		return 0;
	ret = vm_unmap(a[0], end - a[0]);
	names_reap();
	return ret;
}

long sys_mprotect(struct thread *t, const uint64_t a[6])
{
	uint64_t end;

	if ((a[2] & PROT_GROWS) == PROT_GROWS || (a[0] & (PAGE_BYTES - 1)))
		return -EINVAL;
	if (!a[1])
		return 0;
	if (vm_range(a[0], a[1], &end))
		return -ENOMEM;
	if (a[2] & ~(uint64_t)(PROT_ALL | PROT_SEM | PROT_GROWSDOWN)) /* no stack grows up here */
		return -EINVAL;
	return vm_protect(t, a[0], end - a[0], (uint32_t)a[2] & PROT_ALL, a[2] & PROT_GROWSDOWN);
}

/* ---- brk ---- */

void vm_brk_start(uint64_t addr)
{
	layout.brk_start = layout.brk_end = pages_up(addr);
}

/* exclusive */
static int brk_grow(uint64_t from, uint64_t to, bool *reclaim)
{
	struct vma v = {
		.start = from, .end = to, .flags = VMA_BRK | layout.lock_future, .prot = PROT_READ | PROT_WRITE
	};
	struct vma *next = table_find(from);

	if (to > layout.mmap_top || (next && next->start < to + (next->flags & VMA_GROWSDOWN ? TABLE_GAP : PAGE_BYTES)))
		return -ENOMEM;
	if (layout_room(from, to, v.flags, v.prot))
		return -ENOMEM;
	if ((v.flags & VMA_LOCKED) && (!vm_lock_allowed(to - from) || layout_pin_room(to - from)))
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
	bool reclaim = false, locked = false;
	uint64_t old = 0, now = 0, brk;
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
		locked = !err && layout.lock_future == VMA_LOCKED;
	}
	brk = layout.brk_end;
	vm_unlock_exclusive();
	if (reclaim)
		layout_reclaim(t);
	if (locked && now > old)
		(void)vm_populate(old, now);
	return (long)brk;
}

long sys_msync(struct thread *t, const uint64_t a[6])
{
	uint64_t end;
	struct vma *v;
	int err = 0, synced;

	(void)t;
	if ((a[2] & ~(uint64_t)MSYNC_ALL) || (a[2] & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC) ||
	    (a[0] & (PAGE_BYTES - 1)))
		return -EINVAL;
	if (vm_range(a[0], a[1], &end))
		return -ENOMEM;
	vm_lock_exclusive();
	if (!table_covers(a[0], end))
		err = -ENOMEM;
	for (v = table_find(a[0]); v && v->start < end; v = table_next(v))
		if ((a[2] & MS_INVALIDATE) && (v->flags & VMA_LOCKED))
			err = -EBUSY;
	vm_unlock_exclusive();
	/* MS_ASYNC asks for nothing; other mappings than these have nothing to be written back. */
	synced = err != -EBUSY && (a[2] & MS_SYNC) ? vm_sync(a[0], end) : 0;
	return err ? err : synced;
}
