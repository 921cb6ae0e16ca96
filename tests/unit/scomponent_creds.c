/* Whom a process may say that it has become: what Linux would have let it become, and no more. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "scomponent/creds.h"

#define BOTH (CREDS_SETUID | CREDS_SETGID)

static const uint32_t groups[] = { 71, 72 };

/* uids and gids alike: real, effective, saved, fs */
static int become(struct creds *c, uint32_t caps, uint32_t r, uint32_t e, uint32_t s, uint32_t fs)
{
	const struct p2s_creds_req to = { .uid = { r, e, s, fs }, .gid = { r, e, s, fs }, .caps = caps };

	return creds_change(c, &to, groups, 1);
}

static void expect(const struct creds *c, uint32_t r, uint32_t e, uint32_t s, uint32_t fs)
{
	const uint32_t want[] = { r, e, s, fs };

	assert_memory_equal(c->uid, want, sizeof(want));
	assert_memory_equal(c->gid, want, sizeof(want));
	assert_false(c->nobody);
}

static void test_root_drops(void **state)
{
	struct creds c;

	(void)state;
	assert_int_equal(creds_begin(&c, 0, 0, NULL, 0), 0);
	expect(&c, 0, 0, 0, 0);
	/* For a while, and back */
	assert_int_equal(become(&c, BOTH, 0, 5, 0, 5), 0);
	expect(&c, 0, 5, 0, 5);
	assert_int_equal(c.n_groups, 1);
	assert_int_equal(c.groups[0], 71);
	assert_int_equal(become(&c, BOTH, 0, 6, 0, 6), 0);
	assert_int_equal(become(&c, BOTH, 0, 0, 0, 0), 0);
	/* For good */
	assert_int_equal(become(&c, 0, 5, 5, 5, 5), 0);
	assert_int_equal(become(&c, BOTH, 0, 0, 0, 0), -EPERM);
	assert_true(c.nobody);
	assert_int_equal(become(&c, BOTH, 5, 5, 0, 5), -EPERM);
	assert_int_equal(become(&c, BOTH, 5, 5, 5, 6), -EPERM);
	assert_true(c.nobody);
	assert_int_equal(become(&c, BOTH, 5, 5, 5, 5), 0);
	expect(&c, 5, 5, 5, 5);
	creds_end(&c);
}

static void test_users_of_its_own(void **state)
{
	struct creds c;

	(void)state;
	assert_int_equal(creds_begin(&c, 0, 0, groups, 2), 0);
	assert_int_equal(become(&c, 0, 5, 6, 7, 6), 0);
	assert_int_equal(become(&c, 0, 6, 7, 5, 5), 0);
	expect(&c, 6, 7, 5, 5);
	assert_int_equal(become(&c, 0, 6, 6, 6, 6), 0);
	assert_int_equal(become(&c, 0, 6, 7, 6, 6), -EPERM);
	creds_end(&c);
}

/* Users first, groups then, as who keeps his capabilities may; each goes by a capability of its own. */
static void test_capabilities(void **state)
{
	struct p2s_creds_req to = { .uid = { 5, 5, 5, 5 }, .caps = CREDS_SETGID };
	struct creds c;

	(void)state;
	assert_int_equal(creds_begin(&c, 0, 0, NULL, 0), 0);
	assert_int_equal(creds_change(&c, &to, NULL, 0), 0);
	assert_int_equal(become(&c, BOTH, 7, 7, 7, 7), -EPERM);
	to.gid[CREDS_FS] = 7;
	assert_int_equal(creds_change(&c, &to, groups, 2), 0);
	assert_int_equal(c.n_groups, 2);
	to.caps = 0;
	assert_int_equal(creds_change(&c, &to, groups, 2), 0);
	to.caps = BOTH;
	assert_int_equal(creds_change(&c, &to, NULL, 0), 0);
	assert_int_equal(c.n_groups, 2);
	to.gid[CREDS_FS] = 8;
	assert_int_equal(creds_change(&c, &to, NULL, 0), -EPERM);
	creds_end(&c);
}

static void test_groups_stay(void **state)
{
	struct p2s_creds_req to = { .uid = { 5, 5, 5, 5 }, .gid = { 7, 7, 7, 7 }, .caps = BOTH };
	struct creds c;

	(void)state;
	assert_int_equal(creds_begin(&c, 5, 7, groups + 1, 1), 0);
	assert_int_equal(creds_change(&c, &to, groups, 2), 0);
	assert_int_equal(c.n_groups, 1);
	assert_int_equal(c.groups[0], 72);
	to.gid[CREDS_FS] = 72; /* one of the others does not do */
	assert_int_equal(creds_change(&c, &to, groups, 2), -EPERM);
	creds_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_drops),
		cmocka_unit_test(test_users_of_its_own),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_groups_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
