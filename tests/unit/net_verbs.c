/*
 * Provider `verbs` where it needs no device: what is wrong is named, nothing is left behind, and nothing else takes its
 * place. With one, tests/verbs and the tests of net.h (ASHLAR_TEST_FABRIC=verbs) go further.
 */
#include "net_owner.h"

static void arguments(void **state)
{
	struct net_options opt = { 0 };
	struct net *net;

	assert_int_equal(net_open("verbs:mlx5_0", &opt, &net), -EINVAL);
	assert_true(net_fabric_known("verbs"));
	assert_true(net_address_fits("verbs", "verbs:10.0.0.1:7000"));
	assert_false(net_address_fits("verbs", "ofi:tcp:10.0.0.1:7000"));
}

static void no_device(void **state)
{
	struct net_options opt = { 0 };
	uint64_t before;
	struct net *net;
	int err;

	setenv("ASHLAR_VERBS_DEVICE", "no such device", 1);
	err = net_open("verbs", &opt, &net); /* libraries may keep something for good, once */
	assert_int_equal(err, -ENODEV);
	before = fds_open(getpid());
	for (int i = 0; i < 10; i++)
		assert_int_equal(net_open("verbs", &opt, &net), -ENODEV);
	assert_int_equal(fds_open(getpid()), before);
	unsetenv("ASHLAR_VERBS_DEVICE");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(arguments), cmocka_unit_test(no_device) };

	return cmocka_run_group_tests_name("verbs", tests, NULL, NULL);
}
