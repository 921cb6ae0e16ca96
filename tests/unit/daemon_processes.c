/* Node daemon: from announcement to end. */
#include "daemon_rig.h"

/* The dispatcher learns its placement, and its memory component has a guard by then. */
static void test_start(void **state)
{
	const struct d2p_hello_rep *rep = (void *)rig_answer.rep;
	const struct placement_part *parts = (void *)rig_answer.tail;
	struct cap memory = mem_cap(1);
	struct rig_peer guard;

	start(1);
	assert_int_equal(rep->excache_bytes, 64 << 20);
	assert_int_equal(rep->n_memory, 1);
	assert_int_equal(rig_answer.tail_bytes, 2 * sizeof(parts[0]));
	assert_string_equal(parts[0].name, "s0");
	assert_true(cap_equal(&parts[1].cap, &memory));
	assert_int_equal(host_opened, getpid());
	assert_int_equal(processes(), 1);
	rig_connect(&guard, mem_addr, KIND_PROCESSOR);
	assert_int_equal(mem_guard(&guard, 1), -EBUSY);
	rig_hang_up(&guard);
}

static void test_refusals(void **state)
{
	struct cap wrong = node_cap(1);
	struct rig_peer p;

	wrong.w[0] ^= 1ULL << 63;
	assert_int_equal(mem_admit(1, FRAMES), 0);
	assert_int_equal(admit(1, 0, mem_addr), 0);
	assert_int_equal(admit(1, 0, mem_addr), -EEXIST);
	assert_int_equal(hello(&dispatcher, 1, node_cap(1)), -EACCES); /* not announced */
	rig_hang_up(&dispatcher);
	assert_int_equal(announce(&command, 1, wrong), -EACCES);
	rig_hang_up(&command);
	assert_int_equal(announce(&command, 2, node_cap(2)), -EACCES);
	rig_hang_up(&command);
	assert_int_equal(announce(&command, 1, node_cap(1)), 0);
	assert_int_equal(announce(&p, 1, node_cap(1)), -EBUSY);
	rig_hang_up(&p);
	assert_int_equal(hello(&dispatcher, 1, wrong), -EACCES);
	rig_hang_up(&dispatcher);
	assert_int_equal(hello(&dispatcher, 1, node_cap(1)), 0);
	assert_int_equal(hello(&p, 1, node_cap(1)), -EBUSY);
	rig_hang_up(&p);
	assert_int_equal(processes(), 1);
	assert_int_equal(host_killed, 0);
}

/* Each of these ends the process, and the memory component knows. */
static void test_command_hangs_up(void **state)
{
	start(1);
	rig_hang_up(&command);
	rig_until(processes() == 0);
	assert_int_equal(host_killed, 1);
	rig_until(!dispatcher.rpc);
	rig_until(mem_stat().processes == 0);
}

static void test_dispatcher_hangs_up(void **state)
{
	start(1);
	rig_hang_up(&dispatcher);
	rig_until(processes() == 0);
	assert_int_equal(host_killed, 1); /* it may be alive, and only have lost its connection */
	rig_until(mem_stat().processes == 0);
	assert_non_null(command.rpc);
}

static void test_host_process_ends(void **state)
{
	start(1);
	assert_int_equal(write(host_pipe[1], "x", 1), 1);
	rig_until(processes() == 0);
	rig_until(!dispatcher.rpc);
	rig_until(mem_stat().processes == 0);
}

static void test_revoked(void **state)
{
	start(1);
	daemon_revoke(node, 1);
	assert_int_equal(processes(), 0);
	assert_int_equal(host_killed, 1);
	rig_until(!dispatcher.rpc);
	rig_until(mem_stat().processes == 0);
	daemon_revoke(node, 1);
}

/* A memory component that does not know the process, or is not there: the dispatcher is told, and may end. */
static void test_no_guard(void **state)
{
	assert_int_equal(admit(1, 0, mem_addr), 0); /* not admitted at the memory component */
	assert_int_equal(announce(&command, 1, node_cap(1)), 0);
	assert_int_equal(hello(&dispatcher, 1, node_cap(1)), -EACCES);
	rig_hang_up(&dispatcher);
	rig_until(processes() == 0);
	rig_hang_up(&command);
	assert_int_equal(admit(2, 0, "local:@ashlar-test-nobody"), 0);
	assert_int_equal(announce(&command, 2, node_cap(2)), 0);
	assert_int_equal(hello(&dispatcher, 2, node_cap(2)), -ECONNREFUSED);
}

/* Budgets asked for by size are set aside; what is left is not exceeded. */
static void test_budgets(void **state)
{
	assert_int_equal(admit(1, 48 << 20, mem_addr), 0);
	assert_int_equal(admit(2, 17 << 20, mem_addr), -ENOMEM);
	assert_int_equal(admit(2, 16 << 20, mem_addr), 0);
	assert_int_equal(admit(3, 0, mem_addr), 0);
	daemon_revoke(node, 1);
	assert_int_equal(admit(1, 48 << 20, mem_addr), 0);
	assert_int_equal(announce(&command, 1, node_cap(1)), 0);
	assert_int_equal(((struct d2p_announce_rep *)rig_answer.rep)->excache_bytes, 48 << 20);
}

static void test_usage_and_signals(void **state)
{
	uint32_t pids[] = { 2, 1 };
	struct process_usage rows[2] = { 0 };

	assert_int_equal(daemon_signal(node, 1, 15), -ESRCH);
	assert_int_equal(mem_admit(1, FRAMES), 0);
	assert_int_equal(admit(1, 0, mem_addr), 0);
	assert_int_equal(daemon_signal(node, 1, 15), -EAGAIN);
	daemon_usage(node, pids, 2, rows);
	assert_int_equal(rows[1].state, 0); /* its program has not come */
	daemon_revoke(node, 1);
	mcomponent_revoke(mem, 1);
	start(1);
	daemon_usage(node, pids, 2, rows);
	assert_int_equal(rows[0].state, 0);
	assert_int_equal(rows[1].state, 'S');
	assert_int_equal(rows[1].bytes, 12345);
	assert_int_equal(daemon_signal(node, 1, 15), 0);
	assert_int_equal(host_signal, 15);
	assert_int_equal(daemon_signal(node, 1, 9), 0);
	assert_int_equal(host_signal, 18); /* the command is woken to see it */
	assert_int_equal(daemon_signal(node, 2, 15), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start, node_up, node_down),
		cmocka_unit_test_setup_teardown(test_refusals, node_up, node_down),
		cmocka_unit_test_setup_teardown(test_command_hangs_up, node_up, node_down),
		cmocka_unit_test_setup_teardown(test_dispatcher_hangs_up, node_up, node_down),
		cmocka_unit_test_setup_teardown(test_host_process_ends, node_up, node_down),
		cmocka_unit_test_setup_teardown(test_revoked, node_up, node_down),
		cmocka_unit_test_setup_teardown(test_no_guard, node_up, node_down),
		cmocka_unit_test_setup_teardown(test_budgets, node_up, node_down),
		cmocka_unit_test_setup_teardown(test_usage_and_signals, node_up, node_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
