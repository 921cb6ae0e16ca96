/*
 * System V shared memory: segments are the host kernel's, so every process of the machine finds them by their keys.
 * Attached ones lie in the program's window and are charged to the budget like all shared memory (shared.c).
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include "ashlar/base/limits.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/calls.h"
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

/* exclusive */
static int64_t attach(int id, uint64_t addr, int flags, const struct shmid_ds *ds, bool *reclaim)
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
	struct shmid_ds ds;
	bool reclaim = false;
	int64_t at;
	long err = host3(SYS_shmctl, (int)a[0], IPC_STAT, &ds);

	if (err)
		return err;
	vm_lock_exclusive();
	at = attach((int)a[0], a[1], (int)a[2], &ds, &reclaim);
	vm_unlock_exclusive();
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
	if ((err = host1(SYS_shmdt, addr)))
		return (int)err;
	for (; v; v = next) {
		uint64_t start = v->start, end = v->end;

		if ((v->flags & VMA_SYSV) && v->name == name && start - v->off == addr)
			(void)layout_clear(start, end, false);
		next = table_find(end);
	}
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
