/* How the ExCache is divided: promises, wants, least parts; and that no division exceeds it or starves anyone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "ashlar/base/clock.h"
#include "pcomponent/daemon/share.h"

#define MB (1UL << 20)

static void alone(void **state)
{
	struct share s = { .want = 0 };

	share_divide(&s, 1, 64 * MB);
	assert_int_equal(s.bytes, 64 * MB);
	s.want = SHARE_ALL;
	share_divide(&s, 1, 64 * MB);
	assert_int_equal(s.bytes, 64 * MB);
}

static void equal_wants(void **state)
{
	struct share s[50] = { { .want = SHARE_ALL } };

	for (unsigned i = 0; i < 50; i++)
		s[i].want = SHARE_ALL;
	share_divide(s, 50, 128 * MB);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(s[i].bytes, 128 * MB / 50 / PAGE_BYTES * PAGE_BYTES);
}

/* Who wants little gets it, and the rest is the others'. */
static void small_wants(void **state)
{
	struct share s[4] = { { .want = SHARE_ALL }, { .want = 4 * MB }, { .want = SHARE_ALL }, { .want = 20 * MB } };

	share_divide(s, 4, 64 * MB);
	assert_int_equal(s[1].bytes, 4 * MB);
	assert_int_equal(s[0].bytes, 20 * MB);
	assert_int_equal(s[2].bytes, 20 * MB);
	assert_int_equal(s[3].bytes, 20 * MB);
	s[0].want = s[2].want = 2 * MB; /* nobody wants the rest: the same for each */
	share_divide(s, 4, 64 * MB);
	assert_int_equal(s[0].bytes, 11 * MB);
	assert_int_equal(s[1].bytes, 13 * MB);
	assert_int_equal(s[3].bytes, 29 * MB);
}

static void promises(void **state)
{
	struct share s[3] = { { .want = SHARE_ALL, .runs = true }, { .promised = 48 * MB }, { .promised = 32 * MB } };

	share_divide(s, 3, 64 * MB);
	assert_int_equal(s[0].bytes, 16 * MB);
	assert_int_equal(s[1].bytes, 48 * MB);
	assert_int_equal(s[2].bytes, 0); /* not now */
}

/* Those that run keep the least part, the others come in their order. */
static void no_room(void **state)
{
	struct share s[6] = { { .want = SHARE_ALL } };

	for (unsigned i = 0; i < 6; i++)
		s[i] = (struct share){ .want = SHARE_ALL, .runs = i == 5 };
	share_divide(s, 6, 3 * MB + MB / 2);
	assert_true(s[5].bytes >= MB);
	assert_true(s[0].bytes >= MB);
	assert_true(s[1].bytes >= MB);
	assert_int_equal(s[2].bytes + s[3].bytes + s[4].bytes, 0);
}

/* Processes that were forked have a smaller least part, and all of them get it where there is no more than that. */
static void forked(void **state)
{
	struct share s[100];

	for (unsigned i = 0; i < 100; i++)
		s[i] = (struct share){ .want = SHARE_ALL, .least = SHARE_FORKED_BYTES, .runs = true };
	share_divide(s, 100, 100 * SHARE_FORKED_BYTES);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(s[i].bytes, SHARE_FORKED_BYTES);
	s[0].want = SHARE_FORKED_BYTES;
	share_divide(s, 2, 4 * MB);
	assert_int_equal(s[0].bytes, SHARE_FORKED_BYTES);
	assert_int_equal(s[1].bytes, 4 * MB - SHARE_FORKED_BYTES);
}

static uint64_t rnd(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Whatever is wanted: never more than there is; who gets less than it wants has as much as any other that is not promised. */
static void random_wants(void **state)
{
	uint64_t x = clock_ns() | 1;

	print_message("seed %#lx\n", (unsigned long)x);
	for (unsigned round = 0; round < 2000; round++) {
		struct share s[40] = { { .want = 0 } };
		uint32_t n = (uint32_t)(rnd(&x) % 40 + 1);
		uint64_t bytes = rnd(&x) % (100 * MB), sum = 0;

		for (uint32_t i = 0; i < n; i++) {
			s[i].promised = rnd(&x) % 8 ? 0 : (rnd(&x) % 8 + 1) * MB;
			s[i].want = rnd(&x) % 3 ? rnd(&x) % (20 * MB) : SHARE_ALL;
		}
		share_divide(s, n, bytes);
		for (uint32_t i = 0; i < n; i++) {
			sum += s[i].bytes;
			assert_int_equal(s[i].bytes % PAGE_BYTES, 0);
			if (s[i].promised) {
				assert_true(s[i].bytes == 0 || s[i].bytes == s[i].promised);
				continue;
			}
			assert_true(s[i].bytes == 0 || s[i].bytes >= SHARE_LEAST_BYTES);
			for (uint32_t k = 0; k < n && s[i].bytes && s[i].bytes + PAGE_BYTES <= s[i].want; k++)
				assert_true(s[k].promised || s[k].bytes <= s[i].bytes);
		}
		assert_true(sum <= bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone),    cmocka_unit_test(equal_wants), cmocka_unit_test(small_wants),
		cmocka_unit_test(promises), cmocka_unit_test(no_room),	   cmocka_unit_test(random_wants),
		cmocka_unit_test(forked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
