/* gmm: a process gets its components, all or none, and loses them at its end. */
#include "gmm_rig.h"

#define MB (1ULL << 20)

static struct rig_peer p0, m0, m1, s0, command;

static int rack_up(void **state)
{
	if (gmm_up(state))
		return -1;
	log_set_fd(-1);
	assert_int_equal(join_as(&p0, KIND_PROCESSOR, "p0", 1 << 30), 0);
	assert_int_equal(join_as(&m0, KIND_MEMORY, "m0", 64 * MB), 0);
	assert_int_equal(join_as(&m1, KIND_MEMORY, "m1", 32 * MB), 0);
	assert_int_equal(join_as(&s0, KIND_STORAGE, "s0", 0), 0);
	rig_connect(&command, gmm_addr, KIND_COMMAND);
	return 0;
}

static int rack_down(void **state)
{
	rig_hang_up(&p0);
	rig_hang_up(&m0);
	rig_hang_up(&m1);
	rig_hang_up(&s0);
	rig_hang_up(&command);
	return gmm_down(state);
}

static int run_one(uint64_t promise, struct x2g_run_rep *rep)
{
	struct x2g_run_req req = run_req(promise);
	int err = rig_ask(&command, X2G_RUN, &req);

	if (!err)
		memcpy(rep, rig_answer.rep, sizeof(*rep));
	return err;
}

/* Each part has a capability of its own; the processor component knows them all, the command only that one's. */
static void test_placed(void **state)
{
	struct x2g_run_rep rep;

	assert_int_equal(run_one(0, &rep), 0);
	assert_true(rep.pid > 0);
	assert_string_equal(rep.p_addr, "local:@p0");
	assert_string_equal(rep.p_name, "p0");
	assert_int_equal(rep.excache_bytes, 1 << 30);
	assert_int_equal(p0.admit.pid, rep.pid);
	assert_true(cap_equal(&p0.admit.cap, &rep.cap));
	assert_int_equal(p0.admit.bytes, 0);
	assert_int_equal(p0.admit.uid, getuid());
	assert_int_equal(p0.admit.n_memory, 2);
	assert_int_equal(p0.n_parts, 3);
	assert_string_equal(p0.parts[0].name, "s0");
	assert_true(cap_equal(&p0.parts[0].cap, &s0.admit.cap));
	assert_string_equal(p0.parts[1].addr, "local:@m0");
	assert_true(cap_equal(&p0.parts[1].cap, &m0.admit.cap));
	assert_int_equal(p0.parts[1].bytes, 64 * MB);
	assert_int_equal(m0.admit.bytes, 64 * MB);
	assert_int_equal(m1.admit.bytes, 32 * MB);
	assert_false(cap_equal(&m0.admit.cap, &m1.admit.cap));
	assert_false(cap_equal(&m0.admit.cap, &p0.admit.cap));
}

/* A command's wish goes to every component of its process. */
static void test_weight(void **state)
{
	struct x2g_run_req req = run_req(0);
	struct rig_peer *const all[] = { &p0, &s0, &m0, &m1 };
	static const uint32_t wish[] = { 0, 1, WEIGHT_MAX };

	for (unsigned i = 0; i < 3; i++) {
		req.weight = wish[i];
		assert_int_equal(rig_ask(&command, X2G_RUN, &req), 0);
		for (unsigned k = 0; k < 4; k++)
			assert_int_equal(all[k]->admit.weight, wish[i] ? wish[i] : WEIGHT_DEFAULT);
	}
	req.weight = WEIGHT_MAX + 1;
	assert_int_equal(rig_ask(&command, X2G_RUN, &req), -EINVAL);
	req.weight = 1;
	req.reserved0 = 1;
	assert_int_equal(rig_ask(&command, X2G_RUN, &req), -EINVAL);
}

/* What is promised to one is not promised to the next; it comes back at the end. */
static void test_promises(void **state)
{
	struct x2g_end_req end = { 0 };
	struct x2g_run_rep first, second;

	assert_int_equal(run_one(48 * MB, &first), 0);
	assert_int_equal(m0.admit.bytes, 32 * MB);
	assert_int_equal(m1.admit.bytes, 16 * MB);
	assert_int_equal(run_one(48 * MB + PAGE_BYTES, &second), -ENOMEM);
	assert_int_equal(run_one(48 * MB, &second), 0);
	assert_int_not_equal(first.pid, second.pid);
	assert_int_equal(run_one(PAGE_BYTES, &second), -ENOMEM);
	end.pid = first.pid;
	assert_int_equal(rig_ask(&p0, X2G_END, &end), 0);
	assert_int_equal(run_one(48 * MB, &second), 0);
}

static void test_end(void **state)
{
	struct x2g_end_req end = { 0 };
	struct x2g_run_rep rep;

	assert_int_equal(run_one(0, &rep), 0);
	end.pid = rep.pid + 1;
	assert_int_equal(rig_ask(&p0, X2G_END, &end), -ESRCH);
	end.pid = rep.pid;
	assert_int_equal(rig_ask(&p0, X2G_END, &end), 0);
	rig_until(m0.revokes && m1.revokes && s0.revokes);
	assert_int_equal(m0.revoked_pid, rep.pid);
	assert_int_equal(p0.revokes, 0); /* it said so itself */
	assert_int_equal(rig_ask(&p0, X2G_END, &end), -ESRCH);
	status_get(&command);
	assert_int_equal(status_rep.processes, 0);
}

/* One part refuses: all are revoked, and the command hears that part's error. */
static void test_refused(void **state)
{
	struct x2g_run_rep rep;

	m1.admit_answer = -ENOMEM;
	assert_int_equal(run_one(0, &rep), -ENOMEM);
	rig_until(p0.revokes && m0.revokes && s0.revokes);
	status_get(&command);
	assert_int_equal(status_rep.processes, 0);
	m1.admit_answer = 0;
	assert_int_equal(run_one(0, &rep), 0);
}

/* One part dies while it is asked. */
static void test_part_dies(void **state)
{
	struct x2g_run_req req = run_req(0);

	m0.admit_hangs = true;
	rig_send(&command, X2G_RUN, &req, NULL, 0);
	rig_until(m0.kept);
	rig_hang_up(&m0);
	rpc_reply_later(m0.kept, 0, NULL);
	rig_until(rig_answer.there);
	assert_int_equal(rig_answer.err, -EPIPE);
	rig_until(p0.revokes && m1.revokes && s0.revokes);
}

/* The command dies while its process is placed: nothing is left of it. */
static void test_command_dies(void **state)
{
	struct x2g_run_req req = run_req(0);
	struct rig_peer other;

	m0.admit_hangs = true;
	rig_send(&command, X2G_RUN, &req, NULL, 0);
	rig_until(m0.kept);
	rig_hang_up(&command);
	rig_run_ms(10);
	rpc_reply_later(m0.kept, 0, NULL);
	rig_until(p0.revokes && m0.revokes && m1.revokes && s0.revokes);
	rig_connect(&other, gmm_addr, KIND_COMMAND);
	status_get(&other);
	assert_int_equal(status_rep.processes, 0);
	rig_hang_up(&other);
}

/* With its processor component a process ends. */
static void test_processor_dies(void **state)
{
	struct x2g_run_rep rep;

	assert_int_equal(run_one(0, &rep), 0);
	rig_hang_up(&p0);
	rig_until(m0.revokes && m1.revokes && s0.revokes);
	assert_int_equal(m0.revoked_pid, rep.pid);
	assert_int_equal(run_one(0, &rep), -ENODEV);
}

/* Only who is up gets work; without one of each kind nothing runs. */
static void test_kinds_needed(void **state)
{
	struct x2g_run_rep rep;

	rig_hang_up(&m0);
	rig_run_ms(10);
	assert_int_equal(run_one(0, &rep), 0);
	assert_int_equal(p0.admit.n_memory, 1);
	assert_string_equal(p0.parts[1].name, "m1");
	rig_hang_up(&m1);
	rig_run_ms(10);
	assert_int_equal(run_one(0, &rep), -ENODEV);
	assert_int_equal(p0.admits, 1); /* nobody was asked in vain */
}

/* A processor component ends only what runs on it. */
static void test_foreign_end(void **state)
{
	struct x2g_end_req end = { 0 };
	struct x2g_run_rep rep;
	struct rig_peer p1;

	assert_int_equal(run_one(0, &rep), 0);
	assert_int_equal(join_as(&p1, KIND_PROCESSOR, "p1", 1 << 30), 0);
	end.pid = rep.pid;
	assert_int_equal(rig_ask(&p1, X2G_END, &end), -EPERM);
	/* The next process goes where fewer are. */
	assert_int_equal(run_one(0, &rep), 0);
	assert_string_equal(rep.p_name, "p1");
	rig_hang_up(&p1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_placed, rack_up, rack_down),
		cmocka_unit_test_setup_teardown(test_weight, rack_up, rack_down),
		cmocka_unit_test_setup_teardown(test_promises, rack_up, rack_down),
		cmocka_unit_test_setup_teardown(test_end, rack_up, rack_down),
		cmocka_unit_test_setup_teardown(test_refused, rack_up, rack_down),
		cmocka_unit_test_setup_teardown(test_part_dies, rack_up, rack_down),
		cmocka_unit_test_setup_teardown(test_command_dies, rack_up, rack_down),
		cmocka_unit_test_setup_teardown(test_processor_dies, rack_up, rack_down),
		cmocka_unit_test_setup_teardown(test_kinds_needed, rack_up, rack_down),
		cmocka_unit_test_setup_teardown(test_foreign_end, rack_up, rack_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
