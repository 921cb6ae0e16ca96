/*
 * Mappings of host objects, and shared memory: anonymous, of memfd and of /dev/shm. Processes of one processor component
 * share it as the host kernel has it. It is no part of the ExCache; what of it is there is charged to the budget (charge.c).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "pcomponent/keep/wire.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/vm/kept.h"
#include "pcomponent/vm/layout.h"

#define NOT_TOLD (MAP_FIXED_NOREPLACE | MAP_GROWSDOWN | MAP_32BIT) /* decided here */

/* What the object is, for maps and for the budget. exclusive. */
static void describe(struct vma *v, int fd)
{
	char link[32], text[4096] = "/dev/zero (deleted)";
	struct stat st = { 0 };
	ssize_t n;

	if (fd < 0) {
		v->flags |= VMA_CHARGED;
	} else if (!fstat(fd, &st)) {
		v->flags |= S_ISREG(st.st_mode) ? VMA_CHARGED : 0u;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, text, sizeof(text) - 1);
		text[n < 0 ? 0 : n] = '\0';
	}
	v->name = names_add_text(text, st.st_ino, st.st_dev);
}

/* exclusive: the host kernel's mapping. What the keeper is to have has no access before it has it. */
static int map_object(struct vma *v, struct kept_object *o, uint32_t flags, int fd)
{
	uint64_t bytes = v->end - v->start;
	int prot = o->keep ? PROT_NONE : (int)v->prot, err;

	flags = (flags & ~(uint32_t)(NOT_TOLD | (o->fd >= 0 ? MAP_ANONYMOUS : 0))) | MAP_FIXED;
	if (mmap((void *)v->start, bytes, prot, (int)flags, o->fd >= 0 ? o->fd : fd, (off_t)v->off) == MAP_FAILED)
		return -errno;
	if (!o->keep)
		return 0;
	err = kept_map(v, o);
	if (err && !(o->flags & KEEP_NEW))
		return err;
	if (err) /* it was somebody's already, and stays where it is */
		return !kept_mark(o) ? -ENOMEM : mprotect((void *)v->start, bytes, (int)v->prot) ? -errno : 0;
	v->flags = (v->flags & ~(uint32_t)VMA_CHARGED) | VMA_KEPT;
	if (v->flags & VMA_LOCKED)
		(void)kept_lock(v, v->flags); /* as MAP_LOCKED has it: as far as that goes */
	return 0;
}

/* exclusive */
static int64_t map_locked(struct vma *v, const uint64_t a[6], uint64_t bytes, int fd, struct kept_object *o,
			  bool *reclaim)
{
	uint32_t flags = (uint32_t)a[3] | ((v->flags & (VMA_LOCKED | VMA_LOCKONFAULT)) == VMA_LOCKED ? MAP_LOCKED : 0u);
	int64_t at = layout_place(a[0], bytes, flags);
	int err;

	if (at < 0)
		return at;
	v->start = (uint64_t)at;
	v->end = (uint64_t)at + bytes;
	describe(v, fd);
	if ((err = layout_room(v->start, v->end, v->flags, v->prot)) || (err = layout_clear(v->start, v->end, false)))
		return err;
	err = map_object(v, o, flags & ~(uint32_t)(o->keep ? MAP_LOCKED | MAP_POPULATE : 0), fd);
	if (!err)
		err = layout_add(v, reclaim);
	if (err) {
		(void)layout_clear(v->start, v->end, true);
		(void)munmap((void *)at, bytes); /* what was there before is gone from the table */
	}
	return err ? err : at;
}

int64_t vm_map_host(struct thread *t, const uint64_t a[6], uint64_t bytes)
{
	struct vma v = { .prot = (uint32_t)a[2], .off = a[3] & MAP_ANONYMOUS ? 0 : a[5] };
	bool reclaim = false, press;
	struct kept_object o;
	int64_t at;

	vm_lock_exclusive();
	press = table_sums().charged + table_sums().pinned + bytes > layout_pin_max(true);
	vm_unlock_exclusive();
	at = kept_choose(t, a[3] & MAP_ANONYMOUS ? -1 : (int)a[4], bytes, a[3] & MAP_SHARED, press, &o);
	if (at)
		return at;
	vm_lock_exclusive();
	v.flags = VMA_HOST | (layout_flags((uint32_t)a[3]) & ~(uint32_t)(VMA_GROWSDOWN | VMA_NORESERVE));
	at = map_locked(&v, a, bytes, a[3] & MAP_ANONYMOUS ? -1 : (int)a[4], &o, &reclaim);
	vm_unlock_exclusive();
	kept_close(&o);
	if (reclaim)
		layout_reclaim(t);
	return at;
}
