/* gmm: who is in the rack. */
#include "gmm_rig.h"

static void test_join_and_status(void **state)
{
	struct x2g_beat_req beat = { .used_bytes = 12345, .processes = 3 };
	struct rig_peer memory, storage, odd, command;
	const struct x2g_join_rep *rep = (void *)rig_answer.rep;

	rig_connect(&command, gmm_addr, KIND_COMMAND);
	status_get(&command);
	assert_int_equal(status_rep.total, 0);
	assert_int_equal(join_as(&memory, KIND_MEMORY, "m0", 1 << 20), 0);
	assert_int_equal(rep->id, 1);
	assert_int_equal(rep->heartbeat_ms, HEARTBEAT_MS);
	assert_int_equal(join_as(&storage, KIND_STORAGE, "s0", 0), 0);
	assert_int_equal(rep->id, 2);
	/* A kind that this gmm does not know joins, and is listed. */
	assert_int_equal(join_as(&odd, (enum wire_kind)4711, "x0", 0), 0);
	assert_int_equal(rig_ask(&memory, X2G_BEAT, &beat), 0);
	status_get(&command);
	assert_int_equal(status_rep.total, 3);
	assert_string_equal(status_row[0].name, "m0");
	assert_string_equal(status_row[0].addr, "local:@m0");
	assert_int_equal(status_row[0].used_bytes, 12345);
	assert_int_equal(status_row[0].processes, 3);
	assert_int_equal(status_row[0].state, RACK_UP);
	assert_int_equal(status_row[2].kind, 4711);
	rig_hang_up(&memory);
	rig_run_ms(10);
	status_get(&command);
	assert_int_equal(status_row[0].state, RACK_DEAD);
	assert_int_equal(status_row[0].used_bytes, 0);
	rig_hang_up(&storage);
	rig_hang_up(&odd);
	rig_hang_up(&command);
}

/* A name is taken while its owner lives, and free afterwards. */
static void test_name_taken(void **state)
{
	struct rig_peer first, second, command;

	assert_int_equal(join_as(&first, KIND_MEMORY, "m0", 1 << 20), 0);
	assert_int_equal(join_as(&second, KIND_MEMORY, "m0", 1 << 20), -EEXIST);
	rig_hang_up(&second);
	rig_hang_up(&first);
	rig_run_ms(10);
	assert_int_equal(join_as(&second, KIND_MEMORY, "m0", 1 << 20), 0);
	rig_connect(&command, gmm_addr, KIND_COMMAND);
	status_get(&command);
	assert_int_equal(status_rep.total, 1);
	assert_int_equal(status_row[0].id, 2);
	rig_hang_up(&second);
	rig_hang_up(&command);
}

static void test_bad_joins(void **state)
{
	struct x2g_join_req req = join_req(KIND_MEMORY, "m0", 1 << 20);
	struct rig_peer p;

	rig_connect(&p, gmm_addr, KIND_MEMORY);
	req.name[0] = 0;
	assert_int_equal(rig_ask(&p, X2G_JOIN, &req), -EINVAL);
	req = join_req(KIND_MEMORY, "a\nb", 1 << 20);
	assert_int_equal(rig_ask(&p, X2G_JOIN, &req), -EINVAL);
	req = join_req(KIND_MEMORY, "m0", 1 << 20);
	memset(req.name, 'x', sizeof(req.name));
	assert_int_equal(rig_ask(&p, X2G_JOIN, &req), -EINVAL);
	req = join_req(KIND_MEMORY, "m0", 1 << 20);
	memset(req.addr, 'x', sizeof(req.addr));
	assert_int_equal(rig_ask(&p, X2G_JOIN, &req), -EINVAL);
	req = join_req(KIND_MEMORY, "m0", 1 << 20);
	req.flags = 0x80;
	assert_int_equal(rig_ask(&p, X2G_JOIN, &req), -EINVAL);
	req = join_req(KIND_MEMORY, "m0", 100);
	assert_int_equal(rig_ask(&p, X2G_JOIN, &req), -EINVAL);
	req = join_req(KIND_STORAGE, "m0", 0); /* not what its hello said */
	assert_int_equal(rig_ask(&p, X2G_JOIN, &req), -EPERM);
	req = join_req(KIND_MEMORY, "m0", 1 << 20);
	assert_int_equal(rig_ask(&p, X2G_JOIN, &req), 0);
	assert_int_equal(rig_ask(&p, X2G_JOIN, &req), -EALREADY);
	rig_hang_up(&p);
}

/* Who may ask what. */
static void test_wrong_kinds(void **state)
{
	struct x2g_join_req join = join_req(KIND_COMMAND, "c0", 0);
	struct x2g_run_req run = run_req(0);
	struct x2g_status_req status = { 0 };
	struct x2g_beat_req beat = { 0 };
	struct x2g_end_req end = { .pid = 1 };
	struct rig_peer command, memory, dispatcher;

	rig_connect(&command, gmm_addr, KIND_COMMAND);
	assert_int_equal(rig_ask(&command, X2G_JOIN, &join), -EPERM);
	assert_int_equal(rig_ask(&command, X2G_BEAT, &beat), -EPERM);
	assert_int_equal(rig_ask(&command, X2G_END, &end), -EPERM);
	assert_int_equal(join_as(&memory, KIND_MEMORY, "m0", 1 << 20), 0);
	assert_int_equal(rig_ask(&memory, X2G_RUN, &run), -EPERM);
	assert_int_equal(rig_ask(&memory, X2G_END, &end), -EPERM);
	assert_int_equal(rig_ask(&memory, X2G_STATUS, &status), -EPERM);
	rig_connect(&dispatcher, gmm_addr, KIND_DISPATCHER);
	join = join_req(KIND_DISPATCHER, "d0", 0);
	assert_int_equal(rig_ask(&dispatcher, X2G_JOIN, &join), -EPERM);
	assert_int_equal(rig_ask(&dispatcher, X2G_RUN, &run), -EPERM);
	rig_hang_up(&command);
	rig_hang_up(&memory);
	rig_hang_up(&dispatcher);
}

/* Not heard of for HEARTBEAT_MISSES periods: silent; heard of again: up. */
static void test_silent(void **state)
{
	struct x2g_beat_req beat = { 0 };
	struct rig_peer memory, command;

	log_set_fd(-1);
	assert_int_equal(join_as(&memory, KIND_MEMORY, "m0", 1 << 20), 0);
	rig_connect(&command, gmm_addr, KIND_COMMAND);
	rig_run_ms((HEARTBEAT_MISSES - 1) * HEARTBEAT_MS);
	status_get(&command);
	assert_int_equal(status_row[0].state, RACK_UP);
	rig_run_ms(3 * HEARTBEAT_MS);
	status_get(&command);
	assert_int_equal(status_row[0].state, RACK_SILENT);
	assert_int_equal(rig_ask(&memory, X2G_BEAT, &beat), 0);
	status_get(&command);
	assert_int_equal(status_row[0].state, RACK_UP);
	rig_hang_up(&memory);
	rig_hang_up(&command);
}

/* Its machine went without a word: another in its name takes its place, which nobody can while it is heard of. */
static void test_silent_displaced(void **state)
{
	struct rig_peer old, new, command;

	log_set_fd(-1);
	assert_int_equal(join_as(&old, KIND_MEMORY, "m0", 1 << 20), 0);
	assert_int_equal(join_as(&new, KIND_MEMORY, "m0", 2 << 20), -EEXIST);
	rig_hang_up(&new);
	rig_run_ms((HEARTBEAT_MISSES + 2) * HEARTBEAT_MS);
	assert_int_equal(join_as(&new, KIND_MEMORY, "m0", 2 << 20), 0);
	rig_connect(&command, gmm_addr, KIND_COMMAND);
	status_get(&command);
	assert_int_equal(status_rep.rows, 1);
	assert_int_equal(status_row[0].state, RACK_UP);
	assert_int_equal(status_row[0].bytes, 2 << 20);
	rig_hang_up(&old);
	rig_hang_up(&new);
	rig_hang_up(&command);
}

/* More components than a message has rows for: in pages. One more than the rack holds: refused, unless one is dead. */
static void test_many(void **state)
{
	static struct rig_peer p[RACK_COMPONENTS_MAX + 1];
	struct x2g_status_req req = { 0 };
	struct rig_peer command;
	uint32_t seen = 0;
	char name[16];

	for (unsigned i = 0; i < RACK_COMPONENTS_MAX; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		assert_int_equal(join_as(&p[i], KIND_MEMORY, name, 1 << 20), 0);
	}
	assert_int_equal(join_as(&p[RACK_COMPONENTS_MAX], KIND_MEMORY, "more", 1 << 20), -ENOSPC);
	rig_connect(&command, gmm_addr, KIND_COMMAND);
	do {
		const struct x2g_status_rep *rep = (void *)rig_answer.rep;

		req.first = seen;
		assert_int_equal(rig_ask(&command, X2G_STATUS, &req), 0);
		assert_int_equal(rep->total, RACK_COMPONENTS_MAX);
		assert_true(rep->rows > 0);
		seen += rep->rows;
	} while (seen < RACK_COMPONENTS_MAX);
	assert_int_equal(seen, RACK_COMPONENTS_MAX);
	rig_hang_up(&p[5]);
	rig_run_ms(10);
	rig_hang_up(&p[RACK_COMPONENTS_MAX]);
	assert_int_equal(join_as(&p[RACK_COMPONENTS_MAX], KIND_MEMORY, "more", 1 << 20), 0);
	for (unsigned i = 0; i <= RACK_COMPONENTS_MAX; i++)
		rig_hang_up(&p[i]);
	rig_hang_up(&command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_join_and_status, gmm_up, gmm_down),
		cmocka_unit_test_setup_teardown(test_name_taken, gmm_up, gmm_down),
		cmocka_unit_test_setup_teardown(test_bad_joins, gmm_up, gmm_down),
		cmocka_unit_test_setup_teardown(test_wrong_kinds, gmm_up, gmm_down),
		cmocka_unit_test_setup_teardown(test_silent, gmm_up, gmm_down),
		cmocka_unit_test_setup_teardown(test_silent_displaced, gmm_up, gmm_down),
		cmocka_unit_test_setup_teardown(test_many, gmm_up, gmm_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
