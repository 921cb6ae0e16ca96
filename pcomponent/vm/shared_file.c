/* Shared mappings of remote files: their place in the layout (pages.h has their contents). */
#include <errno.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include "ashlar/base/limits.h"
#include "ashlar/proto/p2s.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/vm/layout.h"
#include "pcomponent/vm/pages.h"

/* exclusive */
static int64_t map_locked(struct vma *v, const uint64_t a[6], uint64_t bytes, const struct vm_file *file, bool *reclaim)
{
	int64_t at = layout_place(a[0], bytes, (uint32_t)a[3]);
	int err;

	if (at < 0)
		return at;
	v->start = (uint64_t)at;
	v->end = (uint64_t)at + bytes;
	if ((err = layout_room(v->start, v->end, v->flags, v->prot)) || (err = layout_clear(v->start, v->end, true)))
		return err;
	/* After clearing, which may have ended the last mapping of this very file */
	v->name = names_shared(file->ino, file->dev);
	if (!v->name && !(v->name = names_add_shared(file, file->off + bytes)))
		return -ENOMEM;
	err = pages_show(names_pages(v->name), file->off, bytes, v->start);
	if (!err)
		err = layout_add(v, reclaim);
	if (err) {
		(void)layout_clear(v->start, v->end, true);
		(void)munmap((void *)at, bytes);
	}
	return err ? err : at;
}

int64_t vm_map_pages(struct thread *t, const uint64_t a[6], uint64_t bytes, const struct vm_file *file)
{
	struct vma v = { .prot = (uint32_t)a[2], .off = file->off };
	bool reclaim = false;
	int64_t at;

	vm_lock_exclusive();
	v.flags = VMA_HOST | VMA_CHARGED | VMA_PAGES | (fs_image_writable(file->image) ? 0u : VMA_NOWRITE) |
		  (layout_flags((uint32_t)a[3]) & (VMA_SHARED | VMA_LOCKED | VMA_LOCKONFAULT));
	at = map_locked(&v, a, bytes, file, &reclaim);
	vm_unlock_exclusive();
	if (reclaim)
		layout_reclaim(t);
	return at;
}

int vm_sync(uint64_t start, uint64_t end)
{
	int err = 0, e;

	while (start < end && names_any_shared()) {
		struct pages *pages = NULL;
		struct vma v = { 0 }, *found;
		uint64_t to;

		vm_lock_exclusive();
		for (found = table_find(start); found && !(found->flags & VMA_PAGES); found = table_next(found))
			;
		if (found && found->start < end) {
			v = *found;
			pages = pages_get(names_pages(v.name));
		}
		vm_unlock_exclusive();
		if (!pages)
			break;
		start = start > v.start ? start : v.start;
		to = v.end < end ? v.end : end;
		e = pages_flush(pages, v.name, v.off + (start - v.start), to - start);
		err = err ? err : e;
		pages_put(pages);
		start = to;
	}
	return err;
}

void vm_shared_processes(int more)
{
	for (uint32_t i = 1; i <= names_count(); i++)
		if (names_pages(i))
			pages_processes(names_pages(i), more);
}

void vm_ends(void)
{
	if (!names_any_shared())
		return;
	(void)vm_sync(0, WINDOW_END);
	vm_lock_exclusive();
	vm_shared_processes(-1);
	vm_unlock_exclusive();
}

/* The pages of that file, for the caller to put; NULL: it is not mapped shared. *name: its entry. */
static struct pages *pages_of(struct fs_image *image, uint32_t *name)
{
	struct pages *pages = NULL;
	struct wire_stat st;

	if (!names_any_shared() || fs_image_stat(image, &st))
		return NULL;
	vm_lock_exclusive();
	*name = names_shared(st.ino, makedev(st.dev_major, st.dev_minor));
	if (*name)
		pages = pages_get(names_pages(*name));
	vm_unlock_exclusive();
	return pages;
}

void vm_file_reads(struct fs_image *image)
{
	uint32_t name;
	struct pages *pages = pages_of(image, &name);

	if (!pages)
		return;
	(void)pages_flush(pages, name, 0, UINT64_MAX);
	pages_put(pages);
}

void vm_file_written(struct fs_image *image, uint64_t off, uint64_t bytes)
{
	uint32_t name;
	struct pages *pages = pages_of(image, &name);

	if (!pages)
		return;
	pages_reread(pages, off, bytes);
	pages_put(pages);
}
