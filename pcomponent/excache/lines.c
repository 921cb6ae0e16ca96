/*
 * A table of two levels. A leaf holds the words of 1 GB of addresses in 2 MB, mapped but untouched; it is filled by
 * blocks of one page (2 MB of addresses), and a bit per block says whether it was ever used, so that walks need not
 * touch (and thereby populate) the rest. Leaves stay until lines_close.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include "ashlar/base/limits.h"
#include "pcomponent/excache/lines.h"

#define LEAF_SHIFT 18
#define LEAF_WORDS (1UL << LEAF_SHIFT)
#define LEAVES (LINES_VPN_MAX >> LEAF_SHIFT)
#define BLOCK_SHIFT 9 /* words of one page */
#define BLOCKS (1UL << (LEAF_SHIFT - BLOCK_SHIFT))

struct leaf {
	uint64_t word[LEAF_WORDS];
	uint64_t used[BLOCKS / 64];
};

static struct leaf **table;

static void *reserve(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int lines_open(void)
{
	table = reserve(LEAVES * sizeof(*table));
	if (!table)
		return -ENOMEM;
	/* One word is used at a time: a huge page of words would cost 2 MB for each region. */
	(void)madvise(table, LEAVES * sizeof(*table), MADV_NOHUGEPAGE);
	return 0;
}

void lines_close(void)
{
	if (!table)
		return;
	for (size_t i = 0; i < LEAVES; i++)
		if (table[i])
			(void)munmap(table[i], sizeof(struct leaf));
	(void)munmap(table, LEAVES * sizeof(*table));
	table = NULL;
}

static struct leaf *leaf_of(uint64_t vpn)
{
	return __atomic_load_n(&table[vpn >> LEAF_SHIFT], __ATOMIC_ACQUIRE);
}

static struct leaf *leaf_make(uint64_t vpn)
{
	struct leaf *fresh = reserve(sizeof(*fresh)), *old = NULL;

	if (!fresh)
		return NULL;
	(void)madvise(fresh, sizeof(*fresh), MADV_NOHUGEPAGE);
	if (__atomic_compare_exchange_n(&table[vpn >> LEAF_SHIFT], &old, fresh, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return fresh;
	(void)munmap(fresh, sizeof(*fresh));
	return old;
}

static bool block_used(const struct leaf *leaf, uint64_t vpn, bool mark)
{
	uint64_t block = vpn >> BLOCK_SHIFT & (BLOCKS - 1), bit = 1ULL << (block & 63);
	uint64_t *used = (uint64_t *)&leaf->used[block / 64];

	if (__atomic_load_n(used, __ATOMIC_RELAXED) & bit)
		return true;
	if (mark)
		(void)__atomic_fetch_or(used, bit, __ATOMIC_RELAXED);
	return false;
}

uint64_t *lines_get(uint64_t vpn)
{
	struct leaf *leaf = leaf_of(vpn);

	if (!leaf && !(leaf = leaf_make(vpn)))
		return NULL;
	(void)block_used(leaf, vpn, true);
	return &leaf->word[vpn & (LEAF_WORDS - 1)];
}

uint64_t *lines_peek(uint64_t vpn)
{
	struct leaf *leaf = vpn < LINES_VPN_MAX ? leaf_of(vpn) : NULL;

	return leaf && block_used(leaf, vpn, false) ? &leaf->word[vpn & (LEAF_WORDS - 1)] : NULL;
}

static uint64_t round_up(uint64_t v, unsigned shift)
{
	return ((v >> shift) + 1) << shift;
}

uint64_t lines_next(uint64_t from, uint64_t end)
{
	uint64_t stop = end < LINES_VPN_MAX ? end : LINES_VPN_MAX;

	while (from < stop) {
		struct leaf *leaf = leaf_of(from);

		if (leaf && block_used(leaf, from, false))
			return from;
		from = round_up(from, leaf ? BLOCK_SHIFT : LEAF_SHIFT);
	}
	return end;
}

void lines_release(uint64_t from, uint64_t end)
{
	uint64_t vpn = (from + (1 << BLOCK_SHIFT) - 1) >> BLOCK_SHIFT << BLOCK_SHIFT;

	while ((vpn = lines_next(vpn, end)) < end && end - vpn >= 1 << BLOCK_SHIFT) {
		struct leaf *leaf = leaf_of(vpn);
		uint64_t block = vpn >> BLOCK_SHIFT & (BLOCKS - 1);

		leaf->used[block / 64] &= ~(1ULL << (block & 63));
		(void)madvise(&leaf->word[vpn & (LEAF_WORDS - 1)], PAGE_BYTES, MADV_DONTNEED);
		vpn += 1 << BLOCK_SHIFT;
	}
}
