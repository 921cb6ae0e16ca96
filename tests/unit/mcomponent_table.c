/* Memory monitor: the hash table against a plain array, by a million random operations on keys that crowd. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "mcomponent/table.h"

#define KEYS 4096u
#define STEPS 1000000u

static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void test_against_array(void **state)
{
	static uint64_t model[KEYS]; /* value, 0: absent */
	uint64_t x = 0x9e3779b97f4a7c15ULL, count = 0, value;
	struct table t;

	mtable_init(&t, 42);
	for (uint32_t i = 0; i < STEPS; i++) {
		uint64_t r = next(&x);
		uint64_t key = r % KEYS;

		if (r >> 33 & 1) {
			assert_int_equal(mtable_reserve(&t, 1), 0);
			mtable_set(&t, key, i + 1);
			count += !model[key];
			model[key] = i + 1;
		} else {
			mtable_del(&t, key);
			count -= !!model[key];
			model[key] = 0;
		}
		assert_int_equal(t.count, count);
		key = next(&x) % KEYS;
		assert_int_equal(mtable_get(&t, key, &value), model[key] != 0);
		if (model[key])
			assert_int_equal(value, model[key]);
	}
	for (uint64_t key = 0; key < KEYS; key++)
		assert_int_equal(mtable_get(&t, key, &value), model[key] != 0);
	mtable_free(&t);
	assert_false(mtable_get(&t, 0, &value));
	mtable_del(&t, 0);
}

/* Room asked for at once is there: setting does not need to grow. */
static void test_reserve(void **state)
{
	struct table t;
	uint64_t slots;

	mtable_init(&t, 7);
	assert_int_equal(mtable_reserve(&t, 1000), 0);
	slots = t.mask;
	for (uint64_t i = 0; i < 1000; i++)
		mtable_set(&t, i << 40, i);
	assert_int_equal(t.mask, slots);
	assert_int_equal(t.count, 1000);
	mtable_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_array),
		cmocka_unit_test(test_reserve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
