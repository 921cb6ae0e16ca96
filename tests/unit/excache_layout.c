/*
 * Registration, reclaim, unmapping, moving, protection: the ExCache against the real host kernel. Everything is run twice:
 * with the program's pages written back from where they are (peek), and copied by system calls.
 */
#include "excache_rack.h"

#define BUDGET (1ULL << 20)
#define LINES (BUDGET / PAGE_BYTES)
#define WORDS (PAGE_BYTES / 8)

static struct rack rack;

static int begin(void **state)
{
	rack_peek = *state;
	rack_add_memory(&rack, 64 << 20);
	rack_add_memory(&rack, 64 << 20);
	return rack_open(&rack, BUDGET, NULL);
}

static int end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RACK_REGIONS; i++)
		if (rack_region[i].end)
			rack_unmap(i);
	rack_port_done();
	assert_int_equal(rack.stats->remote_bytes, 0);
	assert_int_equal(rack.stats->resident_bytes, 0);
	assert_string_equal(rack_said, "");
	excache_close();
	rack_end(&rack);
	return 0;
}

static uint64_t value(uint64_t page, unsigned k)
{
	return page * 0x9e3779b97f4a7c15ULL + k + 1;
}

static void fill(volatile uint64_t *p, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		for (unsigned k = 0; k < WORDS; k += 61)
			p[i * WORDS + k] = value(i, k);
}

static void check(const volatile uint64_t *p, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		for (unsigned k = 0; k < WORDS; k += 61)
			assert_int_equal(p[i * WORDS + k], value(i, k));
}

static void fresh_memory_is_zero(void **state)
{
	uint64_t *p = rack_map_registered(0, 4 * BUDGET);

	(void)state;
	for (uint64_t i = 0; i < 4 * LINES * WORDS; i += 97)
		assert_int_equal(((volatile uint64_t *)p)[i], 0);
	rack_port_done(); /* adds its counters */
	/* Zero lines went and came without a transfer. */
	assert_int_equal(rack.stats->misses, 0);
	assert_int_equal(rack.stats->writebacks, 0);
	assert_true(rack.stats->zero_fills >= 4 * LINES);
	assert_true(rack.stats->zero_evictions > 2 * LINES);
	assert_true(rack_present(p, 4 * BUDGET) <= LINES);
}

static void contents_survive(void **state)
{
	uint64_t *p = rack_map_registered(0, 4 * BUDGET);

	(void)state;
	fill(p, 4 * LINES);
	assert_true(rack_present(p, 4 * BUDGET) <= LINES);
	check(p, 4 * LINES);
	check(p, 4 * LINES);
	rack_port_done();
	assert_true(rack.stats->misses > 4 * LINES);
	assert_true(rack.stats->component_bytes[0] >= BUDGET);
	assert_true(rack.stats->component_bytes[1] >= BUDGET);
	/* Clean lines are dropped, not written back again. */
	assert_true(rack.stats->writebacks <= 4 * LINES + LINES);
}

static void growing_edges_are_filled_ahead(void **state)
{
	volatile char *p = rack_map_registered(0, BUDGET / 2);
	uint64_t faults = 0;

	(void)state;
	for (uint64_t i = 0; i < LINES / 2; i++) {
		faults += rack_present((char *)(uintptr_t)p + i * PAGE_BYTES, PAGE_BYTES) == 0;
		p[i * PAGE_BYTES] = 1;
	}
	assert_true(faults <= LINES / 8);
}

static void late_registration(void **state)
{
	uint64_t *p = rack_map(4 * BUDGET);

	(void)state;
	fill(p, 3 * LINES); /* natively: no fault of ours */
	rack_region_set(0, p, 4 * BUDGET);
	assert_int_equal(excache_register(rack_region[0].start, rack_region[0].end), 0);
	assert_int_equal(rack_present(p, 4 * BUDGET), 3 * LINES);
	assert_int_equal(excache_resident(rack_region[0].start, rack_region[0].end, NULL), 3 * BUDGET);
	assert_int_equal(excache_port_open(&rack_port), 0);
	assert_int_equal(excache_reclaim(rack_port), 0);
	assert_true(rack_present(p, 4 * BUDGET) <= LINES);
	check(p, 3 * LINES);
	assert_int_equal(((volatile uint64_t *)p)[3 * LINES * WORDS], 0);
}

static void huge_reservations_cost_nothing(void **state)
{
	uint64_t bytes = 1ULL << 40, begin_ns = clock_ns();
	volatile char *p = rack_map_registered(0, bytes);

	(void)state;
	p[bytes / 3] = 1;
	p[bytes - 1] = 2;
	assert_int_equal(p[bytes / 3], 1);
	assert_int_equal(excache_resident(rack_region[0].start, rack_region[0].end, NULL), 2 * PAGE_BYTES);
	rack_unmap(0);
	print_message("a terabyte registered, used, unmapped in %llu us\n",
		      (unsigned long long)(clock_ns() - begin_ns) / 1000);
	assert_true(clock_ns() - begin_ns < 20 * NS_PER_S); /* kernels before 6.7: a second */
}

static void unmapped_memory_is_given_back(void **state)
{
	uint64_t *p = rack_map_registered(0, 4 * BUDGET);

	(void)state;
	fill(p, 4 * LINES);
	/* MADV_DONTNEED of the second half */
	assert_int_equal(madvise((char *)p + 2 * BUDGET, 2 * BUDGET, MADV_DONTNEED), 0);
	excache_forget(rack_region[0].start + 2 * BUDGET, rack_region[0].end);
	check(p, 2 * LINES);
	for (uint64_t i = 2 * LINES * WORDS; i < 4 * LINES * WORDS; i += WORDS)
		assert_int_equal(((volatile uint64_t *)p)[i], 0);
	rack_unmap(0);
	assert_int_equal(rack.stats->remote_bytes, 0);
	assert_int_equal(rack.stats->resident_bytes, 0);
	p = rack_map_registered(0, 4 * BUDGET); /* most likely at the same address */
	fill(p, 4 * LINES);
	check(p, 4 * LINES);
}

static void moved_memory_keeps_its_contents(void **state)
{
	uint64_t *p = rack_map_registered(0, 4 * BUDGET), *q;

	(void)state;
	fill(p, 3 * LINES);
	(void)((volatile uint64_t *)p)[0]; /* a clean line among them */
	q = mremap(p, 4 * BUDGET, 4 * BUDGET, MREMAP_MAYMOVE | MREMAP_FIXED, rack_map(4 * BUDGET));
	assert_ptr_not_equal(q, MAP_FAILED);
	assert_int_equal(excache_move(rack_region[0].start, (uint64_t)(uintptr_t)q, 4 * BUDGET), 0);
	rack_region_set(0, q, 4 * BUDGET);
	check(q, 3 * LINES);
	fill(q, 4 * LINES);
	assert_true(rack_present(q, 4 * BUDGET) <= LINES);
	check(q, 4 * LINES);
}

static void unreadable_lines_are_evicted(void **state)
{
	uint64_t *p = rack_map_registered(0, 4 * BUDGET);

	(void)state;
	fill(p, LINES / 2);
	rack_unreadable.start = rack_region[0].start;
	rack_unreadable.end = rack_region[0].start + BUDGET / 2;
	assert_int_equal(mprotect(p, BUDGET / 2, PROT_NONE), 0);
	fill(p + LINES / 2 * WORDS, 3 * LINES);
	assert_true(rack_present(p, BUDGET / 2) < LINES / 2);
	rack_unreadable.end = 0;
	assert_int_equal(mprotect(p, BUDGET / 2, PROT_READ), 0);
	check(p, LINES / 2);
	check(p + LINES / 2 * WORDS, 3 * LINES);
	assert_int_equal(mprotect(p, BUDGET / 2, PROT_READ | PROT_WRITE), 0);
	fill(p, LINES / 2);
	check(p, LINES / 2);
}

/* Segments that the evictor protects reach over mappings of other rights, of other kinds, and over holes. */
static void segments_cross_mappings(void **state)
{
	char *p = rack_map_registered(0, 4 * BUDGET);

	(void)state;
	fill((uint64_t *)p, 4 * LINES);
	for (uint64_t off = 0; off < 4 * BUDGET; off += 10 * PAGE_BYTES)
		assert_int_equal(mprotect(p + off, PAGE_BYTES, PROT_READ), 0);
	for (uint64_t off = 5 * PAGE_BYTES; off < 4 * BUDGET; off += 70 * PAGE_BYTES) {
		munmap(p + off, PAGE_BYTES);
		excache_forget(rack_region[0].start + off, rack_region[0].start + off + PAGE_BYTES);
	}
	for (unsigned round = 0; round < 3; round++)
		for (uint64_t i = 0; i < 4 * LINES; i++) {
			volatile uint64_t *w = (volatile uint64_t *)(p + i * PAGE_BYTES);

			if (i % 70 == 5)
				continue;
			assert_int_equal(*w, value(i, 0));
			if (i % 10 != 0)
				*w = value(i, 0);
		}
	assert_true(rack.stats->writebacks > 4 * LINES);
}

static void resident_pages_are_told(void **state)
{
	volatile char *p = rack_map_registered(0, BUDGET);
	unsigned char vec[LINES];

	(void)state;
	p[3 * PAGE_BYTES] = 1;
	p[9 * PAGE_BYTES] = 1;
	assert_int_equal(excache_resident(rack_region[0].start, rack_region[0].end, vec), 2 * PAGE_BYTES);
	for (unsigned i = 0; i < LINES; i++)
		assert_int_equal(vec[i], i == 3 || i == 9);
}

#define BOTH(fn)                                                     \
	{ #fn, fn, begin, end, (void *)(uintptr_t)rack_peek_plain }, \
	{                                                            \
#fn " (by system calls)", fn, begin, end, NULL       \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(fresh_memory_is_zero),
		BOTH(contents_survive),
		BOTH(growing_edges_are_filled_ahead),
		BOTH(late_registration),
		BOTH(huge_reservations_cost_nothing),
		BOTH(unmapped_memory_is_given_back),
		BOTH(moved_memory_keeps_its_contents),
		BOTH(unreadable_lines_are_evicted),
		BOTH(segments_cross_mappings),
		BOTH(resident_pages_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
