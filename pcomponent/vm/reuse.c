/*
 * What exec in place keeps of the program before: pages of its files that it had read and could not have written. The next
 * program often has the same libraries, and then needs neither to read nor to fault them in again: they are shared with the
 * process that both were forked from until somebody writes. What a file's pages are is told by its state when it was
 * opened (fs_version); a change within the same tick of the storage component's clock, after the one and before the other
 * was opened, is not seen. They are memory of the budget, as far as it has room, and go when the program does without.
 */
#include <string.h>
#include <sys/mman.h>
#include "ashlar/base/limits.h"
#include "pcomponent/vm/layout.h"

#define RUNS_MAX 256u
#define BUDGET_SHARE 4u		  /* more of it is not kept */
#define PIECE_BYTES (128UL << 10) /* as file.c reads them; each may be a mapping of its own to the host kernel */

struct run {
	struct fs_version version;
	uint64_t off, bytes;
	char *at;
};

static struct {
	struct run run[RUNS_MAX];
	unsigned n;
	uint64_t bytes;
} kept;

static bool worth(const struct vma *v)
{
	const uint32_t not = VMA_UNREAD | VMA_WRITTEN | VMA_REGISTERED | VMA_LOCKED | VMA_SHARED | VMA_HOST;

	return (v->flags & VMA_FILE) && !(v->flags & not ) && names_image(v->name) &&
	       fs_image_version(names_image(v->name))->ino;
}

/* Bytes of v at addr, up to the end of a piece of its file. */
static uint64_t piece_at(const struct vma *v, uint64_t addr)
{
	uint64_t off = v->off + (addr - v->start), bytes = ((off / PIECE_BYTES) + 1) * PIECE_BYTES - off;

	return bytes < v->end - addr ? bytes : v->end - addr;
}

/* The pages move to `at`; what cannot be moved in one go stays, and goes with its mapping. */
static void keep(const struct vma *v, uint64_t addr, uint64_t bytes, char *at)
{
	if (mremap((void *)addr, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED) {
		(void)munmap(at, bytes);
		return;
	}
	kept.run[kept.n++] = (struct run){ *fs_image_version(names_image(v->name)), v->off + (addr - v->start), bytes,
					   at };
	kept.bytes += bytes;
}

/* The bytes that are worth keeping, as many as there is room for; with an address for them they are kept. */
static uint64_t walk(uint64_t max, char *at)
{
	unsigned n = kept.n;
	uint64_t done = 0, addr, bytes;
	const struct vma *v;

	for (v = table_find(0); v; v = table_next((struct vma *)v)) {
		if (!worth(v))
			continue;
		for (addr = v->start; addr < v->end && n < RUNS_MAX; addr += bytes, done += bytes, n++) {
			bytes = piece_at(v, addr);
			if (done + bytes > max)
				return done;
			if (at)
				keep(v, addr, bytes, at + done);
		}
	}
	return done;
}

void reuse_keep(void)
{
	uint64_t max, bytes;
	char *at;

	reuse_fit(0);
	max = layout.budget / BUDGET_SHARE;
	bytes = walk(max, NULL);
	at = bytes ? mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) : MAP_FAILED;
	if (at != MAP_FAILED)
		walk(max, at);
}

static void forget(unsigned i)
{
	kept.bytes -= kept.run[i].bytes;
	kept.run[i] = kept.run[--kept.n];
}

char *reuse_take(const struct fs_version *version, uint64_t off, uint64_t bytes)
{
	unsigned i;
	char *at;

	for (i = 0; i < kept.n; i++)
		if (kept.run[i].off == off && kept.run[i].bytes == bytes &&
		    !memcmp(&kept.run[i].version, version, sizeof(*version)))
			break;
	if (i == kept.n)
		return NULL;
	at = kept.run[i].at;
	forget(i);
	return at;
}

void reuse_fit(uint64_t bytes)
{
	while (kept.bytes > bytes) {
		(void)munmap(kept.run[kept.n - 1].at, kept.run[kept.n - 1].bytes);
		forget(kept.n - 1);
	}
}
