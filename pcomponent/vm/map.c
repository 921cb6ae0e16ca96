/*
 * Making and ending mappings. Private file mappings are anonymous copies, filled here from the storage component: before
 * memory is registered directly, afterwards through user copies, so that filling stays within the budget.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "ashlar/base/limits.h"
#include "ashlar/proto/p2s.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/layout.h"

#define FILL_PIECE_BYTES (4UL << 20)
#define HOST_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* Where a new mapping goes. exclusive. */
static int64_t place(uint64_t addr, uint64_t bytes, uint32_t flags)
{
	struct vma *v;

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
	if (addr >= WINDOW_START && addr < WINDOW_END && bytes <= WINDOW_END - addr) {
		v = table_find(addr);
		if ((!v || v->start >= addr + bytes) && (addr + bytes <= layout.mmap_top))
			return (int64_t)addr;
	}
	addr = table_hole(bytes, layout.mmap_top);
	return addr ? (int64_t)addr : -ENOMEM;
}

/* exclusive: the host kernel's part of a new anonymous mapping, and the table's. */
static int64_t map_locked(const struct vma *want, uint32_t flags, uint32_t prot, bool *reclaim)
{
	struct vma v = *want;
	int64_t at = place(v.start, v.end - v.start, flags);
	int err;

	if (at < 0)
		return at;
	v.end = (uint64_t)at + (v.end - v.start);
	v.start = (uint64_t)at;
	if ((err = layout_clear(v.start, v.end, false)))
		return err;
	/* Replacing: the host kernel drops what was there, registration included. */
	if (mmap((void *)v.start, v.end - v.start, (int)prot, HOST_FLAGS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	if ((err = layout_add(&v, reclaim))) {
		layout_clear(v.start, v.end, true);
		return err;
	}
	return at;
}

/* Contents of a file mapping from done on, through local memory: it is registered, or may be at any time. */
static int fill_registered(uint64_t addr, const struct vm_file *file, uint64_t done)
{
	char *piece = malloc(IO_SLOT_BYTES);
	uint64_t n;
	int64_t got = 0;
	int err = piece ? 0 : -ENOMEM;

	while (!err && done < file->bytes) {
		n = file->bytes - done < IO_SLOT_BYTES ? file->bytes - done : IO_SLOT_BYTES;
		got = fs_image_pread(file->image, piece, n, file->off + done);
		if (got <= 0)
			break;
		err = uaccess_out(addr + done, piece, (size_t)got);
		done += (uint64_t)got;
	}
	free(piece);
	return got < 0 ? (int)got : err;
}

/*
 * Straight to its place while memory is not registered. Another thread's mapping or a smaller budget may change that at
 * any time, but not while the layout lock is held: so piece by piece. No page of ours is missing meanwhile.
 */
static int fill(struct thread *t, uint64_t addr, const struct vm_file *file)
{
	uint64_t done = 0, n;
	bool direct = true;
	int64_t got = 1;

	while (direct && got > 0 && done < file->bytes) {
		n = file->bytes - done < FILL_PIECE_BYTES ? file->bytes - done : FILL_PIECE_BYTES;
		vm_lock_shared(t);
		direct = !layout.registered;
		if (direct)
			got = fs_image_pread(file->image, (void *)(addr + done), n, file->off + done);
		vm_unlock_shared(t);
		if (direct && got > 0)
			done += (uint64_t)got;
	}
	if (!direct)
		return fill_registered(addr, file, done);
	return got < 0 ? (int)got : 0;
}

int64_t vm_map(struct thread *t, uint64_t addr, uint64_t bytes, uint32_t prot, uint32_t flags,
	       const struct vm_file *file)
{
	bool filling = file && file->bytes, reclaim = false;
	struct vma v = { .start = addr, .end = addr + bytes, .prot = prot };
	int64_t at;
	int err;

	if (!bytes || addr + bytes < addr)
		return -EINVAL;
	if (bytes >= WINDOW_END)
		return -ENOMEM;
	if (flags & MAP_SHARED)
		v.flags |= VMA_SHARED;
	if (flags & MAP_NORESERVE)
		v.flags |= VMA_NORESERVE;
	if (file) {
		v.flags |= VMA_FILE;
		v.off = file->off;
		v.name = names_add(file->path);
	}
	vm_lock_exclusive();
	at = map_locked(&v, flags, filling ? PROT_READ | PROT_WRITE : prot, &reclaim);
	vm_unlock_exclusive();
	if (reclaim)
		layout_reclaim(t);
	if (at < 0 || !filling)
		return at;
	err = fill(t, (uint64_t)at, file);
	if (!err && prot != (PROT_READ | PROT_WRITE) && mprotect((void *)at, bytes, (int)prot))
		err = -errno;
	if (err) {
		vm_unmap((uint64_t)at, bytes);
		return err;
	}
	return at;
}

/* The file's contents again in [from, to) of mapping v. Its pages stay as they are where the file is gone. */
static int refill_one(struct thread *t, const struct vma *v, uint64_t from, uint64_t to)
{
	char canonical[4096];
	struct wire_stat st;
	struct vm_file file = { .off = v->off + (from - v->start) };
	int err = fs_image_open(names_get(v->name), &file.image, &st, canonical, sizeof(canonical));

	if (err)
		return 0;
	file.bytes = st.size < file.off ? 0 : st.size - file.off < to - from ? st.size - file.off : to - from;
	err = fill(t, from, &file);
	fs_image_close(file.image);
	return err;
}

int vm_refill(struct thread *t, uint64_t start, uint64_t end)
{
	int err = 0;

	while (!err && start < end) {
		struct vma v = { .start = end, .end = end }, *found;
		uint64_t to;

		vm_lock_exclusive();
		if ((found = table_find(start)) && found->start < end)
			v = *found;
		vm_unlock_exclusive();
		to = v.end < end ? v.end : end;
		/* What was never writable is the file's still. */
		if ((v.flags & VMA_FILE) && (v.prot & PROT_WRITE))
			err = refill_one(t, &v, start > v.start ? start : v.start, to);
		start = to;
	}
	return err;
}

int64_t vm_map_host(uint64_t addr, uint64_t bytes, uint32_t prot, uint32_t flags, int fd, uint64_t off)
{
	struct vma v = { .prot = prot, .flags = VMA_HOST | (flags & MAP_SHARED ? VMA_SHARED : 0u), .off = off };
	int64_t at;
	int err;

	vm_lock_exclusive();
	at = place(addr, bytes, flags);
	if (at >= 0) {
		v.start = (uint64_t)at;
		v.end = (uint64_t)at + bytes;
		err = layout_clear(v.start, v.end, false);
		if (!err && mmap((void *)at, bytes, (int)prot,
				 (int)((flags & ~(MAP_FIXED_NOREPLACE | MAP_POPULATE)) | MAP_FIXED), fd,
				 (off_t)off) == MAP_FAILED)
			err = -errno;
		if (!err)
			err = table_insert(&v);
		if (err)
			at = err;
	}
	vm_unlock_exclusive();
	return at;
}

int vm_unmap(uint64_t addr, uint64_t bytes)
{
	int err;

	vm_lock_exclusive();
	err = layout_clear(addr, addr + bytes, true);
	vm_unlock_exclusive();
	return err;
}

/* exclusive */
static int protect_locked(uint64_t start, uint64_t end, uint32_t prot, bool *reclaim)
{
	struct vma *v;
	int err;

	if (!table_covers(start, end) || table_ours(start, end))
		return -ENOMEM;
	if ((err = table_split(start, end)))
		return err;
	if (mprotect((void *)start, end - start, (int)prot))
		return -errno;
	for (v = table_find(start); v && v->start < end; v = table_next(v))
		table_set(v, v->flags, prot);
	return layout_settle(reclaim);
}

int vm_protect(struct thread *t, uint64_t addr, uint64_t bytes, uint32_t prot)
{
	bool reclaim = false;
	int err;

	vm_lock_exclusive();
	err = protect_locked(addr, addr + bytes, prot, &reclaim);
	vm_unlock_exclusive();
	if (reclaim)
		layout_reclaim(t);
	return err;
}
