/*
 * The table of line words: made on use, found again, walked and released without touching what was never used.
 * also: tsan
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "ashlar/base/clock.h"
#include "pcomponent/excache/lines.h"

#define TERABYTE (1ULL << 28) /* pages */

static int open_table(void **state)
{
	(void)state;
	return lines_open();
}

static int close_table(void **state)
{
	(void)state;
	lines_close();
	return 0;
}

static void words_begin_as_zero(void **state)
{
	(void)state;
	assert_null(lines_peek(5));
	assert_int_equal(*lines_get(5), 0);
	*lines_get(5) = 42;
	assert_int_equal(*lines_peek(5), 42);
	assert_int_equal(*lines_get(LINES_VPN_MAX - 1), 0);
	assert_null(lines_peek(LINES_VPN_MAX));
	*lines_get(5) = 0;
}

static void walks_skip_the_unused(void **state)
{
	uint64_t begin, from = TERABYTE, seen = 0;

	(void)state;
	*lines_get(from + 7) = 1;
	*lines_get(2 * from + 100000) = 2;
	begin = clock_ns();
	for (uint64_t v = from; (v = lines_next(v, 3 * from)) < 3 * from; v++)
		seen += *lines_peek(v) != 0;
	assert_int_equal(seen, 2);
	assert_true(clock_ns() - begin < 1000 * NS_PER_MS);
	assert_int_equal(lines_next(from + TERABYTE / 2, from + TERABYTE / 2 + 1000), from + TERABYTE / 2 + 1000);
}

static void release_gives_whole_blocks_back(void **state)
{
	(void)state;
	for (uint64_t v = 0; v < 4096; v++)
		*lines_get(v) = 0;
	*lines_get(100) = 7; /* shares its block with lines that are released */
	lines_release(200, 4096);
	assert_int_equal(*lines_peek(100), 7);
	assert_non_null(lines_peek(300));
	assert_null(lines_peek(512));
	assert_null(lines_peek(4095));
	assert_int_equal(*lines_get(1000), 0);
	*lines_get(100) = 0;
}

static void *increment(void *arg)
{
	for (uint64_t v = 0; v < 3000000; v += 1000)
		(void)__atomic_fetch_add(lines_get(5 * TERABYTE + v), (uint64_t)(uintptr_t)arg, __ATOMIC_RELAXED);
	return NULL;
}

static void threads_make_words_once(void **state)
{
	pthread_t t[4];

	(void)state;
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, increment, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (uint64_t v = 0; v < 3000000; v += 1000)
		assert_int_equal(*lines_peek(5 * TERABYTE + v), 1 + 2 + 3 + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(words_begin_as_zero, open_table, close_table),
		cmocka_unit_test_setup_teardown(walks_skip_the_unused, open_table, close_table),
		cmocka_unit_test_setup_teardown(release_gives_whole_blocks_back, open_table, close_table),
		cmocka_unit_test_setup_teardown(threads_make_words_once, open_table, close_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
