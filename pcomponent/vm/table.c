/* The table of mappings: see table.h. A sorted array: programs have tens to a few thousand mappings, faults only look. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "pcomponent/vm/table.h"

static struct vma *table;
static size_t used, room;
static uint64_t weight, noreserve_max;
static struct table_sums sums;

bool table_counts(const struct vma *v)
{
	if (v->flags & (VMA_HOST | VMA_OURS | VMA_UNREAD))
		return v->flags & VMA_CHARGED;
	if ((v->flags & VMA_NORESERVE) && v->end - v->start > noreserve_max)
		return false;
	return (v->flags & VMA_FILE) || (v->prot & PROT_WRITE);
}

static uint64_t weight_of(const struct vma *v)
{
	return table_counts(v) ? v->end - v->start : 0;
}

bool table_is_data(uint32_t flags, uint32_t prot)
{
	return (prot & PROT_WRITE) && !(flags & (VMA_SHARED | VMA_GROWSDOWN));
}

static void sums_add(struct table_sums *s, const struct vma *v, uint64_t bytes)
{
	if (v->flags & VMA_OURS)
		return;
	s->bytes += bytes;
	s->peak = s->bytes > s->peak ? s->bytes : s->peak;
	s->data += table_is_data(v->flags, v->prot) ? bytes : 0;
	s->locked += v->flags & VMA_LOCKED ? bytes : 0;
	s->charged += v->flags & VMA_CHARGED ? bytes : 0;
	if ((v->flags & VMA_LOCKED) && v->prot && !(v->flags & VMA_HOST))
		s->pinned += bytes;
}

static void account(const struct vma *v)
{
	weight += weight_of(v);
	sums_add(&sums, v, v->end - v->start);
}

static void unaccount(const struct vma *v)
{
	weight -= weight_of(v);
	sums_add(&sums, v, v->start - v->end);
}

struct table_sums table_sums(void)
{
	return sums;
}

void table_set_noreserve_max(uint64_t bytes)
{
	noreserve_max = bytes;
}

uint64_t table_weight(void)
{
	return __atomic_load_n(&weight, __ATOMIC_RELAXED);
}

/* Index of the first mapping that ends above addr. */
static size_t index_of(uint64_t addr)
{
	size_t lo = 0, hi = used;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (table[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct vma *table_find(uint64_t addr)
{
	size_t i = index_of(addr);

	return i < used ? &table[i] : NULL;
}

struct vma *table_next(struct vma *v)
{
	return v + 1 < table + used ? v + 1 : NULL;
}

struct vma *table_prev(struct vma *v)
{
	return v > table ? v - 1 : NULL;
}

static int grow(void)
{
	struct vma *bigger;

	if (used + 2 <= room)
		return 0;
	bigger = realloc(table, (room ? room * 2 : 64) * sizeof(*table));
	if (!bigger)
		return -ENOMEM;
	table = bigger;
	room = room ? room * 2 : 64;
	return 0;
}

static bool joins(const struct vma *a, const struct vma *b)
{
	/* Joining NORESERVE mappings could change whether they count. */
	return a->end == b->start && a->flags == b->flags && a->prot == b->prot && a->name == b->name &&
	       !(a->flags & (VMA_NORESERVE | VMA_HOST | VMA_OURS)) &&
	       (!a->name || a->off + (a->end - a->start) == b->off);
}

static void drop_at(size_t i)
{
	memmove(&table[i], &table[i + 1], (used - i - 1) * sizeof(*table));
	used--;
}

static void join_around(size_t i)
{
	if (i + 1 < used && joins(&table[i], &table[i + 1])) {
		table[i].end = table[i + 1].end;
		drop_at(i + 1);
	}
	if (i > 0 && joins(&table[i - 1], &table[i])) {
		table[i - 1].end = table[i].end;
		drop_at(i);
	}
}

int table_insert(const struct vma *v)
{
	size_t i = index_of(v->start);

	if (grow())
		return -ENOMEM;
	memmove(&table[i + 1], &table[i], (used - i) * sizeof(*table));
	table[i] = *v;
	used++;
	account(v);
	join_around(i);
	return 0;
}

static int split_at(uint64_t addr)
{
	size_t i = index_of(addr);
	struct vma *v;

	if (i >= used || table[i].start >= addr)
		return 0;
	if (grow())
		return -ENOMEM;
	v = &table[i];
	unaccount(v);
	memmove(v + 1, v, (used - i) * sizeof(*table));
	used++;
	v[0].end = addr;
	v[1].start = addr;
	if (v[1].name || (v[1].flags & VMA_HOST))
		v[1].off += addr - v[0].start;
	account(&v[0]);
	account(&v[1]);
	return 0;
}

int table_split(uint64_t start, uint64_t end)
{
	int err = split_at(start);

	return err ? err : split_at(end);
}

void table_remove(uint64_t start, uint64_t end)
{
	size_t i = index_of(start), n = 0;

	while (i + n < used && table[i + n].end <= end)
		unaccount(&table[i + n++]);
	memmove(&table[i], &table[i + n], (used - i - n) * sizeof(*table));
	used -= n;
}

uint64_t table_covered_to(uint64_t start, uint64_t end)
{
	size_t i = index_of(start);

	for (; i < used && start < end && table[i].start <= start; i++)
		start = table[i].end;
	return start < end ? start : end;
}

bool table_covers(uint64_t start, uint64_t end)
{
	return table_covered_to(start, end) == end;
}

/* Where a new mapping below v has to end. */
static uint64_t clear_of(const struct vma *v)
{
	if (!(v->flags & VMA_GROWSDOWN))
		return v->start;
	return v->start > TABLE_GAP ? v->start - TABLE_GAP : 0;
}

uint64_t table_hole(uint64_t bytes, uint64_t top)
{
	size_t i = index_of(top);
	uint64_t end = i < used && clear_of(&table[i]) < top ? clear_of(&table[i]) : top;

	for (;;) {
		uint64_t floor = i > 0 ? table[i - 1].end : WINDOW_START;

		if (end >= floor && end - floor >= bytes)
			return end - bytes;
		if (i == 0)
			return 0;
		end = clear_of(&table[--i]);
	}
}

struct table_sums table_sums_in(uint64_t start, uint64_t end)
{
	struct table_sums s = { 0 };

	for (size_t i = index_of(start); i < used && table[i].start < end; i++) {
		uint64_t from = table[i].start > start ? table[i].start : start;

		sums_add(&s, &table[i], (table[i].end < end ? table[i].end : end) - from);
	}
	return s;
}

bool table_goes_on(const struct vma *a, const struct vma *b)
{
	const uint32_t told = ~(uint32_t)(VMA_UNREAD | VMA_REGISTERED | VMA_NORESERVE | VMA_WRITTEN);

	return b->start == a->end && !((a->flags ^ b->flags) & told) && a->prot == b->prot && a->name == b->name &&
	       (!a->name || b->off == a->off + (a->end - a->start));
}

void table_set(struct vma *v, uint32_t flags, uint32_t prot)
{
	unaccount(v);
	v->flags = flags;
	v->prot = prot;
	account(v);
}

const struct vma *table_ours(uint64_t start, uint64_t end)
{
	size_t i = index_of(start);

	for (; i < used && table[i].start < end; i++)
		if (table[i].flags & VMA_OURS)
			return &table[i];
	return NULL;
}
