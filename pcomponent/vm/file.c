/*
 * Contents of private file mappings, which are anonymous copies, filled here from the storage component: before memory is
 * registered directly, afterwards through user copies, so that filling stays within the budget. What lies behind the end
 * of its file (VMA_BEYOND) has no access in the host kernel until the file has grown.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "ashlar/base/limits.h"
#include "ashlar/proto/p2s.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/vm/layout.h"
#include "pcomponent/vm/pages.h"

#define FILL_PIECE_BYTES (4UL << 20)

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
int vm_fill(struct thread *t, uint64_t addr, const struct vm_file *file)
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

int vm_file_of(const struct vma *v, uint64_t from, struct fs_image *image, struct vm_file *file)
{
	struct wire_stat st;
	int err = fs_image_stat(image, &st);

	if (err)
		return err;
	*file = (struct vm_file){ .image = image, .off = v->off + (from - v->start) };
	if (st.size > file->off)
		file->bytes = st.size - file->off < v->end - from ? st.size - file->off : v->end - from;
	return 0;
}

/* The file's contents again in [from, v->end). They stay as they are where the file cannot be reached. */
static int refill_one(struct thread *t, const struct vma *v, uint64_t from, struct fs_image *image)
{
	struct vm_file file;

	return vm_file_of(v, from, image, &file) ? 0 : vm_fill(t, from, &file);
}

int vm_refill(struct thread *t, uint64_t start, uint64_t end)
{
	int err = 0;

	while (!err && start < end) {
		struct vma v = { .start = end, .end = end }, *found;
		struct fs_image *image = NULL;

		vm_lock_exclusive();
		if ((found = table_find(start)) && found->start < end)
			v = *found;
		/* What was never writable is the file's still. */
		if ((v.flags & VMA_FILE) && !(v.flags & VMA_BEYOND) && (v.prot & PROT_WRITE) && names_image(v.name))
			image = fs_image_ref(names_image(v.name));
		vm_unlock_exclusive();
		v.end = v.end < end ? v.end : end;
		if (image) {
			err = refill_one(t, &v, start > v.start ? start : v.start, image);
			fs_image_close(image);
		}
		start = v.end;
	}
	return err;
}

/* ---- behind the end of a file ---- */

static bool allowed(const struct vma *v, uint32_t prot)
{
	return prot == PROT_READ ? v->prot != PROT_NONE : (v->prot & prot) == prot;
}

/* exclusive: pages of v from its start to `to` exist by now; they may be written until they are filled. */
static int appear(const struct vma *was, uint64_t to)
{
	struct vma *v = table_find(was->start);
	int err;

	/* Another thread may have changed what is there */
	if (!v || v->start != was->start || v->end < to || v->name != was->name || !(v->flags & VMA_BEYOND))
		return -EAGAIN;
	if ((err = table_split(was->start, to)))
		return err;
	if (mprotect((void *)was->start, to - was->start, PROT_READ | PROT_WRITE))
		return -errno;
	v = table_find(was->start);
	table_set(v, v->flags & ~(uint32_t)VMA_BEYOND, v->prot);
	return 0;
}

static int grown_to(struct thread *t, const struct vma *v, uint64_t addr, struct fs_image *image)
{
	struct vm_file file;
	bool reclaim = false;
	uint64_t to;
	int err;

	if (vm_file_of(v, v->start, image, &file) || !file.bytes)
		return -EFAULT;
	to = v->start + ((file.bytes + PAGE_BYTES - 1) & -PAGE_BYTES);
	if (addr >= to)
		return -EFAULT;
	vm_lock_exclusive();
	err = appear(v, to);
	if (!err)
		err = layout_settle(&reclaim);
	vm_unlock_exclusive();
	if (reclaim)
		layout_reclaim(t);
	if (err)
		return err == -EAGAIN ? 0 : -EFAULT;
	err = vm_fill(t, v->start, &file);
	if (v->prot != (PROT_READ | PROT_WRITE))
		(void)mprotect((void *)v->start, to - v->start, (int)v->prot);
	return err ? -EFAULT : 0;
}

int vm_fault_beyond(struct thread *t, uint64_t addr, uint32_t prot)
{
	struct fs_image *image = NULL;
	struct pages *pages = NULL;
	struct vma v = { 0 }, *found;
	int err = 1;

	vm_lock_exclusive();
	found = table_find(addr);
	if (found && found->start <= addr && (found->flags & (VMA_FILE | VMA_PAGES)) && allowed(found, prot)) {
		v = *found;
		err = v.flags & VMA_BEYOND ? -EFAULT : 0; /* 0: another thread was faster */
		if (v.flags & VMA_PAGES)
			pages = pages_get(names_pages(v.name));
		else if (err && names_image(v.name))
			image = fs_image_ref(names_image(v.name));
	}
	vm_unlock_exclusive();
	if (image) {
		err = grown_to(t, &v, addr, image);
		fs_image_close(image);
	} else if (pages) {
		err = pages_fault(pages, &v, addr & -PAGE_BYTES, prot & PROT_WRITE);
		pages_put(pages);
	}
	return err;
}
