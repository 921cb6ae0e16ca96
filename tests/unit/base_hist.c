/* Histogram: quantiles within a bucket's width of the exact ones, ends of the range, merging. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "ashlar/base/hist.h"

static void near(uint64_t got, uint64_t want)
{
	uint64_t apart = got > want ? got - want : want - got;

	assert_true(apart * 16 <= want + 15); /* half of a bucket */
}

static void empty(void **state)
{
	struct hist h = { 0 };

	assert_int_equal(hist_quantile(&h, 0.5), 0);
	assert_int_equal(hist_quantile(&h, 1), 0);
}

static void one_sample_each(void **state)
{
	for (uint64_t v = 1; v < 1ULL << 41; v = v * 9 / 8 + 1) {
		struct hist h = { 0 };

		hist_add(&h, v);
		near(hist_quantile(&h, 0), v);
		near(hist_quantile(&h, 0.5), v);
		assert_int_equal(h.max_ns, v);
	}
}

static void quantiles(void **state)
{
	struct hist h = { 0 };

	for (uint64_t v = 1; v <= 100000; v++)
		hist_add(&h, v);
	near(hist_quantile(&h, 0.5), 50000);
	near(hist_quantile(&h, 0.9), 90000);
	near(hist_quantile(&h, 0.99), 99000);
	near(hist_quantile(&h, 1), 100000);
	assert_true(hist_quantile(&h, 1) <= h.max_ns);
}

static void ends(void **state)
{
	struct hist h = { 0 };

	hist_add(&h, 0);
	assert_int_equal(hist_quantile(&h, 1), 0);
	hist_add(&h, UINT64_MAX);
	assert_int_equal(h.count, 2);
	assert_int_equal(h.max_ns, UINT64_MAX);
	assert_int_equal(h.bucket[HIST_BUCKETS - 1], 1);
	assert_true(hist_quantile(&h, 1) > 1ULL << 40);
}

static void merges(void **state)
{
	struct hist a = { 0 }, b = { 0 }, both = { 0 };

	for (uint64_t v = 0; v < 1000; v++) {
		hist_add(v % 3 ? &a : &b, v * v);
		hist_add(&both, v * v);
	}
	hist_merge(&a, &b);
	assert_memory_equal(&a, &both, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty), cmocka_unit_test(one_sample_each), cmocka_unit_test(quantiles),
		cmocka_unit_test(ends),	 cmocka_unit_test(merges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
