/* Sizes: what is a size, what is not, and back again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "ashlar/base/size.h"

static void parses(void **state)
{
	static const struct {
		const char *s;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "64K", 65536 },
		{ "64k", 65536 },
		{ "64M", 64ULL << 20 },
		{ "2g", 2ULL << 30 },
		{ "1T", 1ULL << 40 },
		{ "8388608T", 1ULL << 63 },
		{ "007", 7 },
		{ "9223372036854775808", 1ULL << 63 },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t v = ~0ULL;

		assert_int_equal(size_parse(good[i].s, &v), 0);
		assert_int_equal(v, good[i].bytes);
	}
}

static void refuses(void **state)
{
	static const char *const bad[] = { "",	   "K",	   "-1",   "+1", " 1",	"1 ",  "1KB",
					   "1KiB", "0x10", "1.5G", "1P", "ten", "1\n", "64MM" };
	static const char *const large[] = { "9223372036854775809", "18446744073709551616", "99999999999999999999999",
					     "8388609T", "18014398509481985K" };
	uint64_t v = 1;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(size_parse(bad[i], &v), -EINVAL);
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		assert_int_equal(size_parse(large[i], &v), -ERANGE);
	assert_int_equal(v, 1);
}

static void prints(void **state)
{
	static const uint64_t values[] = { 0,		1,	    1023,	1024,	    1025,      1536,
					   64ULL << 20, 3ULL << 30, 1ULL << 40, 1ULL << 50, 1ULL << 63 };
	char buf[24];
	uint64_t v;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_ptr_equal(size_format(values[i], buf), buf);
		assert_int_equal(size_parse(buf, &v), 0);
		assert_int_equal(v, values[i]);
	}
	assert_string_equal(size_format(64ULL << 20, buf), "64M");
	assert_string_equal(size_format(1ULL << 50, buf), "1024T");
	assert_string_equal(size_format(4097, buf), "4097");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
		cmocka_unit_test(prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
