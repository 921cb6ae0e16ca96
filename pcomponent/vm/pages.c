/*
 * See pages.h. A view of the whole file above the program's window is what all mappings of it are copies of (mremap of no
 * bytes), so a forked child needs no descriptor. Beside it, shared as well, a byte of state for each page. In the window a
 * page has access only as its state allows: none, reading, and after it was marked as written, all. Flushing takes access
 * away again, so that later writes are seen.
 */
#include "pcomponent/vm/pages.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/limits.h"
#include "ashlar/proto/p2s.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/vm/layout.h"

#define SPARE_BYTES (16UL << 30) /* addresses beyond what is asked for first: the file may grow */
#define CHUNK_PAGES 16u		 /* brought in together */
#define BRING_LIMIT_MS 60000u	 /* another process that brings a page in, and takes longer, is dead */

enum page_state { PAGE_NONE, PAGE_COMING, PAGE_CLEAN, PAGE_WRITTEN };

struct shared {
	uint32_t processes; /* atomic */
	uint8_t state[];    /* atomic: enum page_state */
};

struct pages {
	uint32_t refs; /* atomic */
	struct fs_image *image;
	char *view;
	uint64_t bytes;
	struct shared *shared;
};

static void *shared_memory(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static uint64_t shared_bytes(const struct pages *p)
{
	return sizeof(struct shared) + p->bytes / PAGE_BYTES;
}

static void unmake(struct pages *p)
{
	if (p->view)
		(void)munmap(p->view, p->bytes);
	if (p->shared)
		(void)munmap(p->shared, shared_bytes(p));
	free(p);
}

struct pages *pages_make(struct fs_image *image, uint64_t bytes)
{
	struct pages *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->refs = 1;
	p->bytes = ((bytes + PAGE_BYTES - 1) & -PAGE_BYTES) + SPARE_BYTES;
	p->view = shared_memory(p->bytes);
	p->shared = shared_memory(shared_bytes(p));
	if (!p->view || !p->shared) {
		unmake(p);
		return NULL;
	}
	p->shared->processes = 1;
	p->image = fs_image_ref(image);
	return p;
}

struct pages *pages_get(struct pages *p)
{
	(void)__atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
	return p;
}

void pages_put(struct pages *p)
{
	if (__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
		return;
	(void)pages_flush(p, 0, 0, p->bytes); /* nobody is left to hear of an error */
	pages_processes(p, -1);
	fs_image_close(p->image);
	unmake(p);
}

void pages_processes(struct pages *p, int more)
{
	(void)__atomic_add_fetch(&p->shared->processes, (uint32_t)more, __ATOMIC_ACQ_REL);
}

int pages_show(const struct pages *p, uint64_t off, uint64_t bytes, uint64_t at)
{
	if (off > p->bytes || bytes > p->bytes - off)
		return -ENOMEM;
	if (mremap(p->view + off, 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)at) == MAP_FAILED ||
	    mprotect((void *)at, bytes, PROT_NONE))
		return -errno;
	return 0;
}

/* ---- states ---- */

static enum page_state state_of(const struct pages *p, uint64_t page)
{
	return (enum page_state)__atomic_load_n(&p->shared->state[page], __ATOMIC_ACQUIRE);
}

static void state_set(struct pages *p, uint64_t page, enum page_state s)
{
	__atomic_store_n(&p->shared->state[page], (uint8_t)s, __ATOMIC_RELEASE);
}

static bool state_turn(struct pages *p, uint64_t page, enum page_state from, enum page_state to)
{
	uint8_t old = (uint8_t)from;

	return __atomic_compare_exchange_n(&p->shared->state[page], &old, (uint8_t)to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

/* ---- bringing in ---- */

static int64_t file_size(const struct pages *p)
{
	struct wire_stat st;
	int err = fs_image_stat(p->image, &st);

	return err ? err : (int64_t)st.size;
}

/* Pages [first, end) that are nowhere yet, in one read. */
static int bring(struct pages *p, uint64_t first, uint64_t end)
{
	char *buf = malloc(CHUNK_PAGES * PAGE_BYTES);
	int64_t got = buf ? fs_image_pread(p->image, buf, (end - first) * PAGE_BYTES, first * PAGE_BYTES) : -ENOMEM;

	if (got >= 0)
		memset(buf + got, 0, (end - first) * PAGE_BYTES - (uint64_t)got);
	for (uint64_t page = first; page < end; page++) {
		if (!state_turn(p, page, PAGE_NONE, PAGE_COMING))
			continue;
		if (got >= 0)
			memcpy(p->view + page * PAGE_BYTES, buf + (page - first) * PAGE_BYTES, PAGE_BYTES);
		state_set(p, page, got >= 0 ? PAGE_CLEAN : PAGE_NONE);
	}
	free(buf);
	return got < 0 ? (int)got : 0;
}

/* Another thread or process brings it in, in no time: what takes long comes before. */
static void wait_for(struct pages *p, uint64_t page)
{
	uint64_t until_ns = clock_ns() + BRING_LIMIT_MS * NS_PER_MS;

	while (state_of(p, page) == PAGE_COMING) {
		if (clock_ns() > until_ns)
			(void)state_turn(p, page, PAGE_COMING, PAGE_NONE);
		(void)nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
	}
}

static int come(struct pages *p, uint64_t page)
{
	uint64_t first = page / CHUNK_PAGES * CHUNK_PAGES, end;
	int64_t size = file_size(p);
	int err;

	if (size < 0)
		return (int)size;
	end = ((uint64_t)size + PAGE_BYTES - 1) / PAGE_BYTES;
	if (page >= end)
		return -EFAULT;
	if (end > first + CHUNK_PAGES)
		end = first + CHUNK_PAGES;
	err = bring(p, first, end);
	if (!err)
		wait_for(p, page);
	return err;
}

/* exclusive: access to those of pages [page, end), shown from `at` on, that are here. */
static int give_access(const struct pages *p, uint64_t page, uint64_t end, uint64_t at, uint32_t prot)
{
	for (uint64_t n; page < end; page += n, at += n * PAGE_BYTES) {
		enum page_state s = state_of(p, page);

		for (n = 1; page + n < end && state_of(p, page + n) == s; n++)
			;
		if (s != PAGE_CLEAN && s != PAGE_WRITTEN)
			continue;
		if (mprotect((void *)at, n * PAGE_BYTES, (int)(s == PAGE_CLEAN ? prot & ~(uint32_t)PROT_WRITE : prot)))
			return -errno;
	}
	return 0;
}

int pages_fault(struct pages *p, const struct vma *v, uint64_t addr, bool write)
{
	uint64_t page = (v->off + (addr - v->start)) / PAGE_BYTES, first, end;
	struct vma *now;
	int err = 0;

	if (page >= p->bytes / PAGE_BYTES)
		return -EFAULT;
	while (!err && state_of(p, page) < PAGE_CLEAN)
		err = come(p, page);
	if (err)
		return err;
	/* Before the access: what is written after it, and whoever flushes meanwhile, is seen */
	if (write)
		(void)state_turn(p, page, PAGE_CLEAN, PAGE_WRITTEN);
	vm_lock_exclusive();
	now = table_find(addr);
	if (now && now->start <= addr && (now->flags & VMA_PAGES) && now->name == v->name &&
	    now->off + (addr - now->start) == v->off + (addr - v->start)) {
		first = write ? page : page / CHUNK_PAGES * CHUNK_PAGES;
		end = write ? page + 1 : first + CHUNK_PAGES;
		if (first < now->off / PAGE_BYTES)
			first = now->off / PAGE_BYTES;
		if (end > (now->off + (now->end - now->start)) / PAGE_BYTES)
			end = (now->off + (now->end - now->start)) / PAGE_BYTES;
		err = give_access(p, first, end, now->start + (first * PAGE_BYTES - now->off), now->prot);
	}
	vm_unlock_exclusive();
	return err;
}

/* ---- writing back ---- */

/* exclusive: no access in any mapping of pages [first, end): what is written from now on is told of. */
static int take_access(uint32_t name, uint64_t first, uint64_t end)
{
	uint64_t from = first * PAGE_BYTES, to = end * PAGE_BYTES, start, stop;
	struct vma *v;

	for (v = name ? table_find(0) : NULL; v; v = table_next(v)) {
		if (!(v->flags & VMA_PAGES) || v->name != name || v->off >= to || v->off + (v->end - v->start) <= from)
			continue;
		start = v->off < from ? v->start + (from - v->off) : v->start;
		stop = v->off + (v->end - v->start) > to ? v->start + (to - v->off) : v->end;
		if (mprotect((void *)start, stop - start, PROT_NONE))
			return -errno;
	}
	return 0;
}

/* A run of pages that was written, to the file, as far as that goes. */
static int write_run(struct pages *p, uint64_t page, uint64_t n, uint64_t size)
{
	uint64_t off = page * PAGE_BYTES, bytes = n * PAGE_BYTES;

	if (off >= size)
		return 0;
	if (bytes > size - off)
		bytes = size - off;
	return fs_image_pwrite(p->image, p->view + off, bytes, off);
}

static bool any_written(const struct pages *p, uint64_t first, uint64_t end)
{
	while (first < end)
		if (state_of(p, first++) == PAGE_WRITTEN)
			return true;
	return false;
}

int pages_flush(struct pages *p, uint32_t name, uint64_t off, uint64_t bytes)
{
	uint64_t first = off / PAGE_BYTES, end, n;
	bool alone = __atomic_load_n(&p->shared->processes, __ATOMIC_ACQUIRE) == 1;
	int64_t size = file_size(p);
	int err = size < 0 ? (int)size : 0;

	/* Pages behind the file's end are not written */
	end = ((uint64_t)(err ? 0 : size) + PAGE_BYTES - 1) / PAGE_BYTES;
	if (off < p->bytes && bytes < p->bytes - off && end > (off + bytes + PAGE_BYTES - 1) / PAGE_BYTES)
		end = (off + bytes + PAGE_BYTES - 1) / PAGE_BYTES;
	if (end > p->bytes / PAGE_BYTES)
		end = p->bytes / PAGE_BYTES;
	if (err || !any_written(p, first, end))
		return err;
	if (alone) {
		vm_lock_exclusive();
		err = take_access(name, first, end);
		vm_unlock_exclusive();
	}
	for (; !err && first < end; first += n) {
		for (n = 0; first + n < end && state_of(p, first + n) == PAGE_WRITTEN; n++)
			/* Where others may write without our seeing it, it stays as written */
			if (alone)
				state_set(p, first + n, PAGE_CLEAN);
		if (n && (err = write_run(p, first, n, (uint64_t)size)))
			for (uint64_t i = 0; i < n; i++)
				state_set(p, first + i, PAGE_WRITTEN);
		n = n ? n : 1;
	}
	return err;
}

void pages_reread(struct pages *p, uint64_t off, uint64_t bytes)
{
	uint64_t end = off + bytes, n;

	if (end < off || end > p->bytes)
		return;
	for (; off < end; off += n) {
		n = PAGE_BYTES - off % PAGE_BYTES;
		n = n < end - off ? n : end - off;
		if (state_of(p, off / PAGE_BYTES) >= PAGE_CLEAN)
			(void)fs_image_pread(p->image, p->view + off, n, off);
	}
}
