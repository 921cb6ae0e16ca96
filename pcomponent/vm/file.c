/*
 * Contents of private file mappings. They are copies, in anonymous memory, read from the storage component in pieces when
 * they are touched: a program uses a small part of its libraries. (Of one that fits and goes on for a second the rest is read
 * behind it, so that it needs the storage component no more than its calls do.) What has not been read (VMA_UNREAD) has no access in
 * the host kernel, is not under the ExCache and has no weight. A piece is read into memory of ours and put into place at
 * once, so that no thread sees half of it. What lies behind the end of its file stays unread.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/vm/layout.h"
#include "pcomponent/vm/pages.h"

#define PIECE_BYTES (128UL << 10)
#define PIECES_MAX 1024u /* each is a mapping of its own to the host kernel, which has room for some 65,000 */
#define BATCH_MAX 8
#define BUDGET_SHARE 16u /* no piece is larger than this part of the budget */

static bool allowed(const struct vma *v, uint32_t prot)
{
	return prot == PROT_READ ? v->prot != PROT_NONE : (v->prot & prot) == prot;
}

/* The piece of the file that addr in v shows: its offset, and its size. Pieces are aligned in the file. */
static uint64_t block_of(const struct vma *v, uint64_t addr, uint64_t *size)
{
	*size = PIECE_BYTES;
	while (*size > PAGE_BYTES && *size > vm_budget() / BUDGET_SHARE)
		*size /= 2;
	while (*size < (v->end - v->start) / PIECES_MAX && *size < vm_budget() / BUDGET_SHARE)
		*size *= 2;
	return (v->off + (addr - v->start)) & -*size;
}

/* What v shows of [off, off + size) of its file. */
static struct vma part_of(const struct vma *v, uint64_t off, uint64_t size)
{
	struct vma part = *v;

	if (off > v->off) {
		part.start = v->start + (off - v->off);
		part.off = off;
	}
	if (off + size - v->off < v->end - v->start)
		part.end = v->start + (off + size - v->off);
	return part;
}

/* exclusive: is the piece still what it was when it was asked for? Names are used anew, an image that is held is not. */
static bool same(const struct vma *piece, const struct fs_image *image)
{
	const struct vma *v = table_find(piece->start);

	return v && v->start <= piece->start && v->end >= piece->end && (v->flags & VMA_UNREAD) &&
	       names_image(v->name) == image && v->off + (piece->start - v->start) == piece->off;
}

static bool map_nothing(const struct vma *v)
{
	return mmap((void *)v->start, v->end - v->start, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
}

int layout_unread(struct vma *v)
{
	if (!map_nothing(v))
		return -errno;
	if (v->flags & VMA_LOCKED)
		excache_unpin(v->start, v->end);
	if (v->flags & VMA_REGISTERED)
		excache_forget(v->start, v->end);
	table_set(v, (v->flags | VMA_UNREAD) & ~(uint32_t)VMA_REGISTERED, v->prot);
	return 0;
}

/* exclusive: enter what was read of a mapping; it stays unread where that fails. */
static int enter(struct vma v, bool *reclaim)
{
	int err;

	table_remove(v.start, v.end);
	v.flags &= ~(uint32_t)VMA_UNREAD;
	err = layout_add(&v, reclaim);
	if (!err)
		return 0;
	(void)table_split(v.start, v.end);
	table_remove(v.start, v.end);
	if (layout.registered)
		excache_forget(v.start, v.end);
	v.flags |= VMA_UNREAD;
	(void)map_nothing(&v);
	(void)table_insert(&v);
	return err;
}

/* exclusive: *copy becomes the piece, and NULL. -EAGAIN: another thread was faster. */
static int put_in_place(const struct vma *piece, const struct fs_image *image, char **copy, bool *reclaim)
{
	uint64_t bytes = piece->end - piece->start;
	struct vma v;
	int err;

	if (!same(piece, image))
		return -EAGAIN;
	if ((err = table_split(piece->start, piece->end)))
		return err;
	v = *table_find(piece->start);
	if (mprotect(*copy, bytes, (int)v.prot) ||
	    mremap(*copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)v.start) == MAP_FAILED)
		return -errno;
	*copy = NULL;
	return enter(v, reclaim);
}

/* put_in_place, with room in the budget for what comes under the ExCache. */
static int show(struct thread *t, const struct vma *piece, const struct fs_image *image, char **copy, bool *reclaim)
{
	unsigned lines = (unsigned)((piece->end - piece->start) / PAGE_BYTES);
	int err = -ENOSPC;

	while (err == -ENOSPC) {
		vm_lock_exclusive();
		if (!layout.registered || excache_has_room(lines))
			err = put_in_place(piece, image, copy, reclaim);
		vm_unlock_exclusive();
		if (err == -ENOSPC && (err = layout_make_room(t, lines)) == 0)
			err = -ENOSPC;
	}
	return err;
}

/* What one read brings: mappings of a file that lie in the same piece of it. */
struct batch {
	struct vma piece[BATCH_MAX];
	unsigned n;
	uint64_t from, to; /* in the file */
	const struct fs_image *image;
};

static void batch_add(struct batch *b, const struct vma *piece)
{
	uint64_t to = piece->off + (piece->end - piece->start);

	b->from = piece->off < b->from ? piece->off : b->from;
	b->to = to > b->to ? to : b->to;
	b->piece[b->n++] = *piece;
}

/* exclusive: the piece of v at addr, and of what else is mapped of it what has not been read: a small program's segments. */
static void batch_make(struct batch *b, const struct vma *v, uint64_t addr, const struct fs_image *image)
{
	uint64_t size, off = block_of(v, addr, &size), low, high;
	struct vma piece = part_of(v, off, size);
	struct vma *other;

	*b = (struct batch){ .from = UINT64_MAX, .image = image };
	batch_add(b, &piece);
	for (other = table_find(0); other && !layout.registered && b->n < BATCH_MAX; other = table_next(other)) {
		low = other->off > off ? other->off : off;
		high = other->off + (other->end - other->start);
		high = high < off + size ? high : off + size;
		if (!(other->flags & VMA_UNREAD) || other->name != v->name || other->start == v->start || low >= high)
			continue;
		piece = part_of(other, off, size);
		batch_add(b, &piece);
	}
}

static void unmap(char *from, const char *to)
{
	if (from < to)
		(void)munmap(from, (size_t)(to - from));
}

/* copy, of `bytes`, which is given up, becomes the piece, as far as that has contents. 0 or -errno. */
static int piece_show(struct thread *t, struct vma piece, const struct fs_image *image, char *copy, uint64_t bytes)
{
	char *left = copy;
	bool reclaim = false;
	int err;

	piece.end = piece.start + bytes;
	err = show(t, &piece, image, &left, &reclaim);
	if (left)
		unmap(copy, copy + bytes);
	if (reclaim)
		layout_reclaim(t);
	return err == -EAGAIN ? 0 : err;
}

/* The same with a copy of what is at `from`. */
static int piece_copy(struct thread *t, const struct vma *piece, const struct fs_image *image, const char *from,
		      uint64_t bytes)
{
	char *copy = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (copy == MAP_FAILED)
		return -ENOMEM;
	memcpy(copy, from, bytes);
	return piece_show(t, *piece, image, copy, bytes);
}

/* Bytes of the piece that lie before `there` in the file. */
static uint64_t piece_bytes(const struct vma *piece, uint64_t there)
{
	uint64_t bytes = piece->end - piece->start;

	if (there <= piece->off)
		return 0;
	return bytes < there - piece->off ? bytes : there - piece->off;
}

/* The pieces of a batch out of buf, which is given up: copies, but for the first, which was asked for. */
static int batch_show(struct thread *t, const struct batch *b, char *buf, uint64_t there)
{
	const struct vma *first = &b->piece[0];
	uint64_t bytes;
	char *at = buf + (first->off - b->from);
	int err = 0;

	for (unsigned i = 1; i < b->n && !err; i++) {
		bytes = piece_bytes(&b->piece[i], there);
		if (bytes)
			err = piece_copy(t, &b->piece[i], b->image, buf + (b->piece[i].off - b->from), bytes);
	}
	bytes = piece_bytes(first, there);
	unmap(buf, at);
	unmap(at + bytes, buf + (b->to - b->from));
	if (!err)
		return piece_show(t, *first, b->image, at, bytes);
	unmap(at, at + bytes);
	return err;
}

/* Read the piece of v that addr lies in. 0: it is there, or the mapping has changed; -errno: it cannot be had. */
static int piece_read(struct thread *t, const struct vma *v, uint64_t addr, struct fs_image *image)
{
	struct batch b;
	uint64_t there;
	char *buf;
	int64_t got;

	vm_lock_exclusive();
	batch_make(&b, v, addr, image);
	buf = reuse_take(fs_image_version(image), b.piece[0].off, b.piece[0].end - b.piece[0].start);
	vm_unlock_exclusive();
	if (buf)
		return piece_show(t, b.piece[0], image, buf, b.piece[0].end - b.piece[0].start);
	buf = mmap(NULL, b.to - b.from, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (buf == MAP_FAILED)
		return -ENOMEM;
	got = fs_image_pread(image, buf, b.to - b.from, b.from);
	there = b.from + (got > 0 ? ((uint64_t)got + PAGE_BYTES - 1) & -PAGE_BYTES : 0);
	if (got >= 0 && v->off + (addr - v->start) < there)
		return batch_show(t, &b, buf, there);
	unmap(buf, buf + (b.to - b.from));
	return got < 0 ? (int)got : -EFAULT;
}

/*
 * exclusive: the piece at or behind addr that has not been read and would not bring the program under the ExCache, and its
 * file, held; NULL: there is none.
 */
static struct fs_image *unread_from(uint64_t addr, struct vma *v)
{
	struct vma *found = table_find(addr), piece;
	uint64_t size, off;

	while (found && !(found->flags & VMA_UNREAD))
		found = table_next(found);
	if (!found || layout.registered)
		return NULL;
	*v = *found;
	off = block_of(v, addr > v->start ? addr : v->start, &size);
	piece = part_of(v, off, size);
	if (table_weight() + (piece.end - piece.start) > layout.budget)
		return NULL;
	return fs_image_ref(names_image(v->name));
}

void vm_read_files(struct thread *t)
{
	struct fs_image *image;
	struct vma v;
	uint64_t at = 0;

	for (;;) {
		vm_lock_exclusive();
		image = unread_from(at, &v);
		vm_unlock_exclusive();
		if (!image)
			break;
		at = v.start > at ? v.start : at;
		/* What cannot be had stays as it is, and what lies behind it in the same mapping */
		if (piece_read(t, &v, at, image))
			at = v.end;
		fs_image_close(image);
	}
	vm_lock_exclusive();
	reuse_fit(0);
	vm_unlock_exclusive();
}

int vm_fault_file(struct thread *t, uint64_t addr, uint32_t prot)
{
	struct fs_image *image = NULL;
	struct pages *pages = NULL;
	struct vma v = { 0 }, *found;
	int err = 1;

	vm_lock_exclusive();
	found = table_find(addr);
	if (found && found->start <= addr && (found->flags & (VMA_FILE | VMA_PAGES)) && allowed(found, prot)) {
		v = *found;
		err = 0; /* where there is nothing to be read another thread was faster */
		if (v.flags & VMA_PAGES)
			pages = pages_get(names_pages(v.name));
		else if (v.flags & VMA_UNREAD)
			image = fs_image_ref(names_image(v.name));
	}
	vm_unlock_exclusive();
	if (image) {
		err = piece_read(t, &v, addr, image) ? -EFAULT : 0;
		fs_image_close(image);
	} else if (pages) {
		err = pages_fault(pages, &v, addr & -PAGE_BYTES, prot & PROT_WRITE);
		pages_put(pages);
	}
	return err;
}
