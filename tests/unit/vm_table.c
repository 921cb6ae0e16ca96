/* The table of mappings: holes, splits, joins, weight; and random changes against a page-by-page model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>
#include "pcomponent/vm/table.h"

#define PAGE 4096UL
#define BASE 0x100000UL
#define PAGES 256
#define RW (PROT_READ | PROT_WRITE)

static void insert(uint64_t start, uint64_t end, uint32_t flags, uint32_t prot)
{
	struct vma v = { .start = start, .end = end, .flags = flags, .prot = prot };

	assert_int_equal(table_insert(&v), 0);
}

static void empty(void)
{
	table_remove(0, WINDOW_END);
	assert_null(table_find(0));
	assert_int_equal(table_weight(), 0);
}

static void joins_and_splits(void **state)
{
	struct vma *v;

	insert(BASE, BASE + 2 * PAGE, 0, RW);
	insert(BASE + 2 * PAGE, BASE + 4 * PAGE, 0, RW);
	v = table_find(BASE);
	assert_int_equal(v->end, BASE + 4 * PAGE);
	assert_int_equal(table_split(BASE + PAGE, BASE + 2 * PAGE), 0);
	assert_int_equal(table_find(BASE + PAGE)->start, BASE + PAGE);
	assert_true(table_covers(BASE, BASE + 4 * PAGE));
	table_remove(BASE + PAGE, BASE + 2 * PAGE);
	assert_false(table_covers(BASE, BASE + 4 * PAGE));
	assert_int_equal(table_weight(), 3 * PAGE);
	empty();
}

static void holes(void **state)
{
	uint64_t top = BASE + 16 * PAGE;

	assert_int_equal(table_hole(PAGE, top), top - PAGE);
	insert(top - 4 * PAGE, top, 0, RW);
	assert_int_equal(table_hole(PAGE, top), top - 5 * PAGE);
	insert(top - 6 * PAGE, top - 5 * PAGE, 0, RW);
	assert_int_equal(table_hole(PAGE, top), top - 5 * PAGE);
	assert_int_equal(table_hole(2 * PAGE, top), top - 8 * PAGE);
	assert_int_equal(table_hole(top, top), 0);
	empty();
}

static void weight(void **state)
{
	table_set_noreserve_max(8 * PAGE);
	insert(BASE, BASE + 4 * PAGE, 0, PROT_READ);
	assert_int_equal(table_weight(), 0);
	table_set(table_find(BASE), 0, RW);
	assert_int_equal(table_weight(), 4 * PAGE);
	insert(BASE + 8 * PAGE, BASE + 12 * PAGE, VMA_FILE, PROT_READ);
	assert_int_equal(table_weight(), 8 * PAGE);
	insert(BASE + 16 * PAGE, BASE + 26 * PAGE, VMA_NORESERVE, RW);
	assert_int_equal(table_weight(), 8 * PAGE);
	insert(BASE + 32 * PAGE, BASE + 40 * PAGE, VMA_NORESERVE, RW);
	assert_int_equal(table_weight(), 16 * PAGE);
	insert(BASE + 64 * PAGE, BASE + 68 * PAGE, VMA_HOST, RW);
	assert_int_equal(table_weight(), 16 * PAGE);
	empty();
}

static void ours_is_known(void **state)
{
	insert(BASE + PAGE, BASE + 2 * PAGE, VMA_OURS, 0);
	assert_true(table_ours(BASE, BASE + 4 * PAGE));
	assert_false(table_ours(BASE + 2 * PAGE, BASE + 4 * PAGE));
	empty();
}

/* What the table should say of each page: 0 nothing, else 1 + protection. */
static uint8_t model[PAGES];

static void check_against_model(void)
{
	uint64_t expect = 0;
	int i;

	for (i = 0; i < PAGES; i++) {
		uint64_t at = BASE + (uint64_t)i * PAGE;
		struct vma *v = table_find(at);
		uint32_t is = v && v->start <= at ? 1 + v->prot : 0;

		assert_int_equal(is, model[i]);
		if (model[i] && ((model[i] - 1) & PROT_WRITE))
			expect += PAGE;
	}
	assert_int_equal(table_weight(), expect);
}

static void random_changes(void **state)
{
	unsigned seed = 20261121, step;

	print_message("seed %u\n", seed);
	memset(model, 0, sizeof(model));
	for (step = 0; step < 100000; step++) {
		uint64_t a = (uint64_t)rand_r(&seed) % PAGES, n = 1 + (uint64_t)rand_r(&seed) % 8;
		uint64_t b = a + n < PAGES ? a + n : PAGES, i;
		uint64_t start = BASE + a * PAGE, end = BASE + b * PAGE;
		uint32_t prot = (uint32_t)rand_r(&seed) % 4;
		struct vma *v;

		assert_int_equal(table_split(start, end), 0);
		switch (rand_r(&seed) % 3) {
		case 0: /* map */
			table_remove(start, end);
			insert(start, end, 0, prot);
			memset(model + a, (int)(1 + prot), b - a);
			break;
		case 1: /* unmap */
			table_remove(start, end);
			memset(model + a, 0, b - a);
			break;
		case 2: /* protect what is there */
			for (v = table_find(start); v && v->start < end; v = table_next(v))
				table_set(v, v->flags, prot);
			for (i = a; i < b; i++)
				if (model[i])
					model[i] = (uint8_t)(1 + prot);
		}
		if (step % 64 == 0)
			check_against_model();
	}
	check_against_model();
	empty();
}

static void sums(void **state)
{
	struct table_sums all, part;

	insert(BASE, BASE + 4 * PAGE, 0, RW);
	insert(BASE + 4 * PAGE, BASE + 6 * PAGE, VMA_SHARED | VMA_HOST | VMA_CHARGED, RW);
	insert(BASE + 8 * PAGE, BASE + 10 * PAGE, VMA_LOCKED, PROT_READ);
	insert(BASE + 10 * PAGE, BASE + 11 * PAGE, VMA_LOCKED, PROT_NONE);
	insert(BASE + 12 * PAGE, BASE + 13 * PAGE, VMA_OURS, RW);
	all = table_sums();
	assert_int_equal(all.bytes, 9 * PAGE);
	assert_int_equal(all.data, 4 * PAGE);
	assert_int_equal(all.charged, 2 * PAGE);
	assert_int_equal(all.locked, 3 * PAGE);
	assert_int_equal(all.pinned, 2 * PAGE);
	part = table_sums_in(BASE + 3 * PAGE, BASE + 9 * PAGE);
	assert_int_equal(part.bytes, 4 * PAGE);
	assert_int_equal(part.data, PAGE);
	assert_int_equal(part.locked, PAGE);
	assert_int_equal(table_split(BASE + PAGE, BASE + 9 * PAGE), 0);
	part = table_sums();
	assert_memory_equal(&all, &part, sizeof(all));
	table_set(table_find(BASE + 8 * PAGE), 0, RW);
	assert_int_equal(table_sums().locked, 2 * PAGE);
	assert_int_equal(table_sums().data, 5 * PAGE);
	assert_int_equal(table_covered_to(BASE, BASE + 20 * PAGE), BASE + 6 * PAGE);
	empty();
	assert_int_equal(table_sums().bytes, 0);
	assert_int_equal(table_sums().pinned, 0);
}

static void growing(void **state)
{
	uint64_t top = BASE + 2 * TABLE_GAP;

	insert(top - 4 * PAGE, top, VMA_GROWSDOWN, RW);
	assert_int_equal(table_hole(PAGE, top), top - 4 * PAGE - TABLE_GAP - PAGE);
	assert_int_equal(table_hole(PAGE, top + PAGE), top);
	insert(top + PAGE, top + 2 * PAGE, VMA_GROWSDOWN, RW);
	assert_int_equal(table_hole(PAGE, top + 2 * PAGE), top - 4 * PAGE - TABLE_GAP - PAGE);
	empty();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums),		  cmocka_unit_test(growing), cmocka_unit_test(joins_and_splits),
		cmocka_unit_test(holes),	  cmocka_unit_test(weight),  cmocka_unit_test(ours_is_known),
		cmocka_unit_test(random_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
