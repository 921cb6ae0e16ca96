/* gmm: the placement policy `balance`, on tables. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "ashlar/base/limits.h"
#include "gmm/place.h"

#define MB (1ULL << 20)

static uint64_t shares(const struct place_offer *o, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(o[i].share % PAGE_BYTES, 0);
		sum += o[i].share;
	}
	return sum;
}

static void test_names(void **state)
{
	assert_ptr_equal(place_policy(NULL), &place_balance);
	assert_ptr_equal(place_policy("balance"), &place_balance);
	assert_null(place_policy("nonesuch"));
}

static void test_proportional(void **state)
{
	struct place_offer o[3] = {
		{ .bytes = 100 * MB },
		{ .bytes = 300 * MB, .promised = 100 * MB },
		{ .bytes = 50 * MB, .promised = 50 * MB },
	};

	assert_int_equal(place_balance.memory(o, 3, PROCESS_MEMORY_MAX, 150 * MB), 0);
	assert_int_equal(o[0].share, 50 * MB);
	assert_int_equal(o[1].share, 100 * MB);
	assert_int_equal(o[2].share, 0);
}

/* Whatever the sizes: the whole promise, nowhere more than is free. */
static void test_odd_sizes(void **state)
{
	for (uint64_t pages = 1; pages <= 22; pages++) {
		struct place_offer o[4] = {
			{ .bytes = 3 * PAGE_BYTES },
			{ .bytes = 7 * PAGE_BYTES + 100 },
			{ .bytes = 1 * PAGE_BYTES },
			{ .bytes = 11 * PAGE_BYTES },
		};

		assert_int_equal(place_balance.memory(o, 4, PROCESS_MEMORY_MAX, pages * PAGE_BYTES), 0);
		assert_int_equal(shares(o, 4), pages * PAGE_BYTES);
		for (unsigned i = 0; i < 4; i++)
			assert_true(o[i].share <= o[i].bytes);
	}
}

static void test_too_much(void **state)
{
	struct place_offer o[2] = { { .bytes = 10 * MB }, { .bytes = 10 * MB, .promised = 1 * MB } };

	assert_int_equal(place_balance.memory(o, 2, PROCESS_MEMORY_MAX, 19 * MB + PAGE_BYTES), -ENOMEM);
	assert_int_equal(place_balance.memory(o, 2, PROCESS_MEMORY_MAX, 19 * MB), 0);
	assert_int_equal(shares(o, 2), 19 * MB);
}

/* Without a promise everybody may take everything. */
static void test_no_promise(void **state)
{
	struct place_offer o[2] = { { .bytes = 10 * MB }, { .bytes = 20 * MB, .promised = 5 * MB } };

	assert_int_equal(place_balance.memory(o, 2, PROCESS_MEMORY_MAX, 0), 0);
	assert_int_equal(o[0].share, 10 * MB);
	assert_int_equal(o[1].share, 20 * MB);
}

/* More components than a process may have: those with the most room. */
static void test_at_most(void **state)
{
	struct place_offer o[4] = {
		{ .bytes = 1 * MB }, { .bytes = 4 * MB }, { .bytes = 2 * MB }, { .bytes = 3 * MB }
	};

	assert_int_equal(place_balance.memory(o, 4, 2, 7 * MB), 0);
	assert_int_equal(o[0].share + o[2].share, 0);
	assert_int_equal(o[1].share, 4 * MB);
	assert_int_equal(o[3].share, 3 * MB);
	assert_int_equal(place_balance.memory(o, 4, 2, 8 * MB), -ENOMEM);
}

static void test_processor(void **state)
{
	struct place_offer o[3] = { { .processes = 2 }, { .processes = 1 }, { .processes = 1 } };

	assert_int_equal(place_balance.processor(o, 3), 1);
	assert_int_equal(place_balance.processor(o, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	  cmocka_unit_test(test_proportional), cmocka_unit_test(test_odd_sizes),
		cmocka_unit_test(test_too_much),  cmocka_unit_test(test_no_promise),   cmocka_unit_test(test_at_most),
		cmocka_unit_test(test_processor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
