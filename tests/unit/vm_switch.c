/* The switch of VM racks: which address is at which port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "vm/switch/table.h"

static struct mac_table table;

static const uint8_t *mac(unsigned n)
{
	static uint8_t m[MAC_BYTES];

	memset(m, 0, sizeof(m));
	m[0] = 0x52;
	m[4] = (uint8_t)(n >> 8);
	m[5] = (uint8_t)n;
	return m;
}

static void test_learns(void **state)
{
	memset(&table, 0, sizeof(table));
	assert_int_equal(mac_find(&table, mac(1)), -1);
	mac_learn(&table, mac(1), 3);
	mac_learn(&table, mac(2), 4);
	assert_int_equal(mac_find(&table, mac(1)), 3);
	assert_int_equal(mac_find(&table, mac(2)), 4);
	mac_learn(&table, mac(1), 5); /* it has moved */
	assert_int_equal(mac_find(&table, mac(1)), 5);
	assert_int_equal(table.n, 2);
}

static void test_groups(void **state)
{
	static const uint8_t all[MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	memset(&table, 0, sizeof(table));
	mac_learn(&table, all, 1);
	assert_int_equal(table.n, 0);
	assert_int_equal(mac_find(&table, all), -1);
}

/* A machine that sends from a thousand addresses costs no more than itself. */
static void test_bounded(void **state)
{
	memset(&table, 0, sizeof(table));
	mac_learn(&table, mac(0), 1);
	for (unsigned i = 1; i < 4 * MAC_TABLE_MAX; i++) {
		mac_learn(&table, mac(i), 2);
		mac_learn(&table, mac(0), 1); /* is heard all the time */
		assert_true(table.n <= MAC_TABLE_MAX);
		assert_int_equal(mac_find(&table, mac(i)), 2);
		assert_int_equal(mac_find(&table, mac(0)), 1);
	}
	assert_int_equal(mac_find(&table, mac(1)), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learns),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
