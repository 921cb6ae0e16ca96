/*
 * System V shared memory: segments are the host kernel's, so every process of the machine finds them by their keys.
 * Attached ones lie in the program's window and are charged to the budget like all shared memory (shared.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/calls.h"
#include "pcomponent/vm/kept.h"
#include "pcomponent/vm/layout.h"

static uint64_t pages_up(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & -PAGE_BYTES;
}

/* exclusive: where it goes: free, or to be made free (SHM_REMAP). */
static int64_t place(uint64_t addr, uint64_t bytes, int flags)
{
	struct vma *v;

	if (!addr)
		return flags & SHM_REMAP ? -EINVAL : layout_place(0, bytes, MAP_SHARED);
	if (addr & (PAGE_BYTES - 1)) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr &= -PAGE_BYTES;
		if (!addr && (flags & SHM_REMAP))
			return -EINVAL;
	}
	if (addr >= WINDOW_END || bytes > WINDOW_END - addr)
		return -EINVAL;
	v = table_find(addr);
	if (!(flags & SHM_REMAP) && v && v->start < addr + bytes)
		return -EINVAL;
	return layout_place(addr, bytes, MAP_SHARED | MAP_FIXED);
}

/*
 * Where the keeper has a segment, what the program sees is a memory file; the host kernel's segment is attached too, out of the
 * program's sight, so that it counts, may be refused, and goes with the last.
 */
static struct shadow {
	struct shadow *next;
	uint64_t id, base; /* base: where the program has attached it */
	const void *at;
} * shadows;

static int shadow_new(int id, uint64_t base, int flags)
{
	struct shadow *s = malloc(sizeof(*s));
	long at = s ? host3(SYS_shmat, id, 0, flags & SHM_RDONLY) : -ENOMEM;

	if (at < 0 && at > -4096) {
		free(s);
		return (int)at;
	}
	*s = (struct shadow){ .next = shadows, .id = (uint64_t)id, .base = base, .at = (const void *)at };
	shadows = s;
	return 0;
}

/* exclusive: is anything left of attachments of that segment? */
static bool attached(uint64_t id)
{
	uint64_t ino, dev;

	for (struct vma *v = table_find(0); v; v = table_next(v)) {
		if ((v->flags & (VMA_SYSV | VMA_KEPT)) != (VMA_SYSV | VMA_KEPT))
			continue;
		names_file(v->name, &ino, &dev);
		if (ino == id)
			return true;
	}
	return false;
}

/* Those of the attachment at base, UINT64_MAX: of segments of which nothing is left, end. */
static void shadows_end(uint64_t base)
{
	struct shadow **at = &shadows, *s;

	while ((s = *at)) {
		if (s->base != base && (base != UINT64_MAX || attached(s->id))) {
			at = &s->next;
			continue;
		}
		(void)host1(SYS_shmdt, s->at);
		*at = s->next;
		free(s);
	}
}

void sysv_sweep(void)
{
	shadows_end(UINT64_MAX);
}

/* exclusive: what the host kernel does, where the keeper has the segment. The address is v->start. */
static int attach_kept(struct vma *v, int id, int flags, int fd)
{
	const struct kept_object o = { .fd = fd, .keep = true };
	int err = layout_clear(v->start, v->end, false);

	if (!err)
		err = shadow_new(id, v->start, flags);
	if (err)
		return err;
	v->flags = (v->flags & ~(uint32_t)VMA_CHARGED) | VMA_KEPT | (flags & SHM_RDONLY ? VMA_NOWRITE : 0u);
	if (mmap((void *)v->start, v->end - v->start, PROT_NONE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		err = -errno;
	else if ((err = kept_map(v, &o)))
		(void)munmap((void *)v->start, v->end - v->start);
	if (err)
		shadows_end(v->start);
	return err;
}

/* exclusive */
static int64_t attach(int id, uint64_t addr, int flags, const struct shmid_ds *ds, int fd, bool *reclaim)
{
	uint32_t prot = PROT_READ | (flags & SHM_RDONLY ? 0u : PROT_WRITE) | (flags & SHM_EXEC ? PROT_EXEC : 0u);
	struct vma v = { .flags = VMA_HOST | VMA_SHARED | VMA_CHARGED | VMA_SYSV | layout.lock_future, .prot = prot };
	uint64_t bytes = pages_up(ds->shm_segsz);
	int64_t at = place(addr, bytes, flags);
	char text[32];
	long err;

	if (at < 0)
		return at;
	v.start = (uint64_t)at;
	v.end = v.start + bytes;
	snprintf(text, sizeof(text), "/SYSV%08x (deleted)", (unsigned)ds->shm_perm.__key);
	v.name = names_add_text(text, (uint64_t)id, 0);
	if (layout_room(v.start, v.end, v.flags, prot))
		return -ENOMEM;
	if (fd >= 0) {
		err = attach_kept(&v, id, flags, fd);
		if (!err && (err = layout_add(&v, reclaim)))
			(void)layout_clear(v.start, v.end, true);
		return err ? err : at;
	}
	/* First what can refuse it: where something else is to go, that stays until then */
	err = host3(SYS_shmat, id, at, flags & ~SHM_RND);
	if (err < 0)
		return err;
	err = layout_clear(v.start, v.end, false);
	if (!err)
		err = layout_add(&v, reclaim);
	if (err)
		(void)host1(SYS_shmdt, at);
	return err ? err : at;
}

long sys_shmat(struct thread *t, const uint64_t a[6])
{
	bool reclaim = false, press;
	struct shmid_ds ds;
	int fd, later = -1;
	int64_t at;
	long err = host3(SYS_shmctl, (int)a[0], IPC_STAT, &ds);

	if (err)
		return err;
	vm_lock_exclusive();
	press = table_sums().charged + table_sums().pinned + pages_up(ds.shm_segsz) > layout_pin_max(true);
	vm_unlock_exclusive();
	fd = kept_sysv(t, (int)a[0], press);
	vm_lock_exclusive();
	at = attach((int)a[0], a[1], (int)a[2], &ds, fd, &reclaim);
	vm_unlock_exclusive();
	/* Now that it counts the keeper does not take it any more. Has it, meanwhile? */
	if (at > 0 && fd < 0 && (later = kept_sysv(t, (int)a[0], false)) >= 0) {
		vm_lock_exclusive();
		at = attach((int)a[0], (uint64_t)at, (int)a[2] | SHM_REMAP, &ds, later, &reclaim);
		vm_unlock_exclusive();
	}
	if (fd >= 0)
		close(fd);
	if (later >= 0)
		close(later);
	if (reclaim)
		layout_reclaim(t);
	names_reap();
	return at;
}

/* exclusive: the attachment at addr, of which parts may have been unmapped: as the host kernel knows it. */
static int detach(uint64_t addr)
{
	struct vma *v = table_find(addr), *next;
	uint32_t name;
	long err;

	while (v && (!(v->flags & VMA_SYSV) || v->start - v->off != addr))
		v = table_next(v);
	if (!v)
		return -EINVAL;
	name = v->name;
	if (!(v->flags & VMA_KEPT) && (err = host1(SYS_shmdt, addr)))
		return (int)err;
	for (; v; v = next) {
		uint64_t start = v->start, end = v->end;

		if ((v->flags & VMA_SYSV) && v->name == name && start - v->off == addr)
			(void)layout_clear(start, end, false);
		next = table_find(end);
	}
	shadows_end(addr);
	return 0;
}

long sys_shmdt(struct thread *t, const uint64_t a[6])
{
	int err;

	(void)t;
	vm_lock_exclusive();
	err = detach(a[0]);
	vm_unlock_exclusive();
	names_reap();
	return err;
}

long sys_shmctl(struct thread *t, const uint64_t a[6])
{
	union {
		struct shmid_ds ds;
		struct shminfo limits;
		struct shm_info info;
	} buf = { 0 };
	uint64_t out = 0;
	long ret;

	(void)t;
	switch ((int)a[1]) {
	case IPC_SET:
		if (uaccess_in(&buf, a[2], sizeof(buf.ds)))
			return -EFAULT;
		break;
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		out = sizeof(buf.ds);
		break;
	case IPC_INFO:
		out = sizeof(buf.limits);
		break;
	case SHM_INFO:
		out = sizeof(buf.info);
		break;
	default: /* without a buffer, or unknown to the host kernel as well */
		break;
	}
	ret = host3(SYS_shmctl, (int)a[0], (int)a[1], &buf);
	return ret >= 0 && out && uaccess_out(a[2], &buf, out) ? -EFAULT : ret;
}
