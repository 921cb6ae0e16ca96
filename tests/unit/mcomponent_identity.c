/* Memory monitor: nothing without the capability, and everything back at the end of whoever had it. */
#include "mcomponent_rig.h"

/* Every request but the first two is refused on a connection that proved nothing, and counted. */
static void test_nothing_before_hello(void **state)
{
	uint64_t req[8] = { 1 };
	struct map_entry e = { 0 };
	struct rig_peer p;

	assert_int_equal(mem_admit(1, 16), 0);
	rig_connect(&p, mem_addr, KIND_DISPATCHER);
	assert_int_equal(mem_get(&p, 1, NULL), -EACCES);
	assert_int_equal(rig_ask(&p, P2M_SLAB_SEAL, req), -EACCES);
	assert_int_equal(rig_ask(&p, P2M_SLAB_PUT, req), -EACCES);
	assert_int_equal(mem_map(&p, &e, 1), -EACCES);
	assert_int_equal(rig_ask(&p, P2M_STAT, req), -EACCES);
	assert_int_equal(mem_stat().refused, 5);
	assert_int_equal(mem_stat().granted_bytes, 0);
	rig_hang_up(&p);
}

/* Wrong capability, unknown pid, another kind of peer: all the same answer; the right one still works afterwards. */
static void test_wrong_capability(void **state)
{
	struct cap wrong = mem_cap(1);
	struct rig_peer p, command;

	assert_int_equal(mem_admit(1, 16), 0);
	rig_connect(&p, mem_addr, KIND_DISPATCHER);
	wrong.w[1] ^= 1;
	assert_int_equal(mem_hello_with(&p, 1, wrong), -EACCES);
	assert_int_equal(mem_hello_with(&p, 2, mem_cap(2)), -EACCES);
	assert_int_equal(mem_guard(&p, 1), -EACCES);
	rig_connect(&command, mem_addr, KIND_COMMAND);
	assert_int_equal(mem_hello_with(&command, 1, mem_cap(1)), -EACCES);
	assert_int_equal(mem_stat().refused, 4);
	assert_int_equal(mem_hello_with(&p, 1, mem_cap(1)), 0);
	assert_int_equal(((struct p2m_hello_rep *)rig_answer.rep)->quota_bytes, 16 * PAGE_BYTES);
	assert_int_equal(mem_told(&p).refused, 3);
	rig_hang_up(&command);
	rig_hang_up(&p);
}

/* One connection per process, one process per connection. */
static void test_bound_once(void **state)
{
	struct rig_peer p, second;

	assert_int_equal(mem_admit(1, 16), 0);
	assert_int_equal(mem_admit(1, 16), -EEXIST);
	assert_int_equal(mem_admit(2, 16), 0);
	mem_bind(&p, 1);
	assert_int_equal(mem_hello_with(&p, 2, mem_cap(2)), -EBUSY);
	rig_connect(&second, mem_addr, KIND_DISPATCHER);
	assert_int_equal(mem_hello_with(&second, 1, mem_cap(1)), -EBUSY);
	assert_int_equal(mem_get(&second, 1, NULL), -EACCES);
	rig_hang_up(&second);
	rig_hang_up(&p);
}

/* The only dispatcher's connection ends: its frames are free, and it does not come again. The rest goes with the guard. */
static void test_release_by_dispatcher(void **state)
{
	struct rig_peer p, guard;

	assert_int_equal(mem_admit(1, 64), 0);
	rig_connect(&guard, mem_addr, KIND_PROCESSOR);
	assert_int_equal(mem_guard(&guard, 1), 0);
	mem_bind(&p, 1);
	assert_int_equal(mem_get(&p, 16, NULL), 0);
	assert_int_equal(mem_get(&p, 32, NULL), 0);
	assert_int_equal(mem_stat().granted_bytes, 48 * PAGE_BYTES);
	assert_int_equal(mem_stat().promised_bytes, 16 * PAGE_BYTES);
	rig_hang_up(&p);
	rig_until(mem_stat().granted_bytes == 0);
	assert_int_equal(mem_stat().processes, 1);
	assert_int_equal(mem_stat().promised_bytes, 64 * PAGE_BYTES);
	rig_connect(&p, mem_addr, KIND_DISPATCHER);
	assert_int_equal(mem_hello_with(&p, 1, mem_cap(1)), -ESRCH);
	assert_non_null(guard.rpc);
	rig_hang_up(&guard);
	rig_until(mem_stat().processes == 0);
	assert_int_equal(mem_stat().promised_bytes, 0);
	assert_int_equal(mem_hello_with(&p, 1, mem_cap(1)), -EACCES);
	rig_hang_up(&p);
}

/* Without a guard the process is over with its dispatcher's connection. */
static void test_release_unguarded(void **state)
{
	struct rig_peer p;

	assert_int_equal(mem_admit(1, 64), 0);
	mem_bind(&p, 1);
	assert_int_equal(mem_get(&p, 16, NULL), 0);
	rig_hang_up(&p);
	rig_until(mem_stat().granted_bytes == 0);
	assert_int_equal(mem_stat().processes, 0);
	assert_int_equal(mem_stat().promised_bytes, 0);
	rig_connect(&p, mem_addr, KIND_DISPATCHER);
	assert_int_equal(mem_hello_with(&p, 1, mem_cap(1)), -EACCES);
	rig_hang_up(&p);
}

/* The daemon's connection ends: the process is over as well, and its dispatcher hears of it. */
static void test_release_by_guard(void **state)
{
	struct rig_peer p, guard;

	assert_int_equal(mem_admit(1, 64), 0);
	rig_connect(&guard, mem_addr, KIND_PROCESSOR);
	assert_int_equal(mem_guard(&guard, 1), 0);
	mem_bind(&p, 1);
	assert_int_equal(mem_get(&p, 16, NULL), 0);
	rig_hang_up(&guard);
	rig_until(!p.rpc);
	rig_until(mem_stat().granted_bytes == 0);
	assert_int_equal(mem_stat().processes, 0);
}

static void test_release_by_revocation(void **state)
{
	struct rig_peer p;

	assert_int_equal(mem_admit(1, 64), 0);
	mem_bind(&p, 1);
	assert_int_equal(mem_get(&p, 16, NULL), 0);
	assert_int_equal(mcomponent_revoke(mem, 1), 16 * PAGE_BYTES);
	assert_int_equal(mcomponent_revoke(mem, 1), 0);
	rig_until(!p.rpc);
	rig_until(mem_stat().granted_bytes == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_before_hello, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_wrong_capability, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_bound_once, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_release_by_dispatcher, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_release_unguarded, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_release_by_guard, mem_open, mem_close),
		cmocka_unit_test_setup_teardown(test_release_by_revocation, mem_open, mem_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
