/*
 * gmm: processes that outlive a gmm are known to the next one, with their pids and what was promised to them; what is
 * told of processes (ps) and sent to them (signals) is put together from, and goes through, their components.
 */
#include <signal.h>
#include "gmm_rig.h"

#define MB (1ULL << 20)

static struct rig_peer p0, m0, m1, s0, command;

static int up(void **state)
{
	if (gmm_up(state))
		return -1;
	log_set_fd(-1);
	return 0;
}

static int down(void **state)
{
	rig_hang_up(&p0);
	rig_hang_up(&m0);
	rig_hang_up(&m1);
	rig_hang_up(&s0);
	rig_hang_up(&command);
	return gmm_down(state);
}

static int join_again(struct rig_peer *p, enum wire_kind kind, const char *name, uint64_t bytes)
{
	struct x2g_join_req req = join_req(kind, name, bytes);

	req.flags = JOIN_AGAIN;
	rig_connect(p, gmm_addr, kind);
	return rig_ask(p, X2G_JOIN, &req);
}

static int keep(struct rig_peer *p, uint32_t pid, uint64_t on_m0, uint64_t on_m1)
{
	struct x2g_keep_req req = {
		.pid = pid, .uid = getuid(), .gid = getgid(), .weight = 30, .excache_bytes = 8 * MB
	};
	struct kept_part parts[3] = { { .name = "s0" },
				      { .name = "m0", .bytes = on_m0, .promised = 1 },
				      { .name = "m1", .bytes = on_m1, .promised = 1 } };

	return rig_ask_tail(p, X2G_KEEP, &req, parts, sizeof(parts));
}

static int keep_end(struct rig_peer *p)
{
	struct x2g_keep_req req = { 0 };

	return rig_ask(p, X2G_KEEP, &req);
}

static int run_one(uint64_t promise)
{
	struct x2g_run_req req = run_req(promise);

	return rig_ask(&command, X2G_RUN, &req);
}

/* m0 comes before the processor component, m1 behind it. */
static void rack_back(void)
{
	assert_int_equal(join_again(&m0, KIND_MEMORY, "m0", 64 * MB), 0);
	assert_int_equal(join_again(&s0, KIND_STORAGE, "s0", 0), 0);
	assert_int_equal(join_again(&p0, KIND_PROCESSOR, "p0", 64 * MB), 0);
	rig_connect(&command, gmm_addr, KIND_COMMAND);
}

static void test_kept(void **state)
{
	struct x2g_end_req end = { .pid = 77 };

	rack_back();
	assert_int_equal(run_one(0), -ENODEV); /* it has not told of all yet */
	assert_int_equal(keep(&p0, 77, 60 * MB, 30 * MB), 0);
	assert_int_equal(keep(&p0, 77, 0, 0), -EEXIST);
	assert_int_equal(keep_end(&p0), 0);
	assert_int_equal(keep(&p0, 78, 0, 0), -EPERM); /* too late */
	assert_int_equal(run_one(8 * MB), -ENOMEM);    /* 4 of 64 are left on m0 */
	assert_int_equal(join_again(&m1, KIND_MEMORY, "m1", 32 * MB), 0);
	assert_int_equal(run_one(8 * MB), -ENOMEM); /* and 2 of 32 on m1 */
	assert_int_equal(run_one(6 * MB), 0);
	status_get(&command);
	assert_int_equal(status_rep.processes, 2);
	assert_int_equal(rig_ask(&p0, X2G_END, &end), 0);
	rig_until(m0.revokes == 1 && m1.revokes == 1 && s0.revokes == 1);
	assert_int_equal(m1.revoked_pid, 77);
	assert_int_equal(run_one(90 * MB), 0);
}

/* A component that was started anew has nothing of what was there. */
static void test_anew(void **state)
{
	rack_back();
	assert_int_equal(keep(&p0, 77, 60 * MB, 30 * MB), 0);
	assert_int_equal(keep_end(&p0), 0);
	assert_int_equal(join_as(&m1, KIND_MEMORY, "m1", 32 * MB), 0);
	assert_int_equal(run_one(36 * MB), 0);
}

/* A connection that was lost and comes back, with the gmm alive all the time. */
static void test_again(void **state)
{
	rack_back();
	assert_int_equal(keep(&p0, 77, 60 * MB, 30 * MB), 0);
	assert_int_equal(keep_end(&p0), 0);
	rig_hang_up(&m0);
	rig_until((status_get(&command), status_row[0].state == RACK_DEAD));
	assert_int_equal(join_again(&m0, KIND_MEMORY, "m0", 64 * MB), 0);
	assert_int_equal(run_one(8 * MB), -ENOMEM);
	assert_int_equal(run_one(4 * MB), 0);
}

static void test_keep_refused(void **state)
{
	struct kept_part parts[PROCESS_MEMORY_MAX + 1] = { { .name = "s0" }, { .name = "m0" } };
	struct x2g_keep_req req = { .pid = 77, .weight = WEIGHT_DEFAULT };

	rack_back();
	assert_int_equal(rig_ask(&m0, X2G_KEEP, &req), -EPERM);
	assert_int_equal(rig_ask(&command, X2G_KEEP, &req), -EPERM);
	assert_int_equal(rig_ask(&p0, X2G_KEEP, &req), -EINVAL); /* without parts */
	assert_int_equal(rig_ask_tail(&p0, X2G_KEEP, &req, parts, sizeof(parts[0]) - 8), -EINVAL);
	parts[1].promised = 2;
	assert_int_equal(rig_ask_tail(&p0, X2G_KEEP, &req, parts, 2 * sizeof(parts[0])), -EINVAL);
	parts[1].promised = 0;
	memset(parts[1].name, 'x', NAME_BYTES);
	assert_int_equal(rig_ask_tail(&p0, X2G_KEEP, &req, parts, 2 * sizeof(parts[0])), -EINVAL);
	parts[1].name[0] = 0;
	assert_int_equal(rig_ask_tail(&p0, X2G_KEEP, &req, parts, 2 * sizeof(parts[0])), -EINVAL);
	strcpy(parts[1].name, "m\033");
	assert_int_equal(rig_ask_tail(&p0, X2G_KEEP, &req, parts, 2 * sizeof(parts[0])), -EINVAL);
	for (uint32_t bad = 0; bad <= WEIGHT_MAX + 1; bad += WEIGHT_MAX + 1) {
		req.weight = bad;
		assert_int_equal(rig_ask_tail(&p0, X2G_KEEP, &req, parts, sizeof(parts[0])), -EINVAL);
	}
	req.weight = WEIGHT_DEFAULT;
	req.pid = UINT32_MAX;
	assert_int_equal(rig_ask_tail(&p0, X2G_KEEP, &req, parts, sizeof(parts[0])), -EINVAL);
	status_get(&command);
	assert_int_equal(status_rep.processes, 0);
}

static struct ps_row *ps(uint32_t after, uint32_t *n)
{
	struct x2g_ps_req req = { .after = after };
	const struct x2g_ps_rep *rep = (void *)rig_answer.rep;

	assert_int_equal(rig_ask(&command, X2G_PS, &req), 0);
	*n = rep->rows;
	assert_int_equal(rig_answer.tail_bytes, *n * sizeof(struct ps_row));
	return (void *)rig_answer.tail;
}

static void test_ps(void **state)
{
	struct ps_row *row;
	uint32_t n;

	rack_back();
	assert_int_equal(join_again(&m1, KIND_MEMORY, "m1", 32 * MB), 0);
	for (uint32_t pid = 300; pid > 100; pid--)
		assert_int_equal(keep(&p0, pid, 0, 0), 0);
	assert_int_equal(keep_end(&p0), 0);
	p0.usage_bytes = 5;
	m0.usage_bytes = 7;
	m1.usage_bytes = 70;
	row = ps(0, &n);
	assert_int_equal(n, PS_BATCH_MAX);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(row[i].pid, 101 + i);
	assert_int_equal(row[3].local_bytes, 5);
	assert_int_equal(row[3].remote_bytes, 77);
	assert_int_equal(row[3].budget_bytes, 8 * MB);
	assert_int_equal(row[3].uid, getuid());
	assert_int_equal(row[3].state, 'S');
	assert_int_equal(row[3].silent, 0);
	assert_string_equal(row[3].processor, "p0");
	row = ps(299, &n);
	assert_int_equal(n, 1);
	assert_int_equal(row[0].pid, 300);
	row = ps(300, &n);
	assert_int_equal(n, 0);
	/* One that is gone, and one that answers nonsense: what they would say is missing, and the row says so */
	rig_hang_up(&m1);
	rig_until((status_get(&command), status_row[3].state == RACK_DEAD));
	m0.usage_short = true;
	row = ps(0, &n);
	assert_int_equal(n, PS_BATCH_MAX);
	assert_int_equal(row[0].remote_bytes, 0);
	assert_int_equal(row[0].silent, 1);
	assert_int_equal(row[0].local_bytes, 5);
}

static int signal_to(struct rig_peer *from, uint32_t pid, int number)
{
	struct x2g_signal_req req = { .pid = pid, .signal = number, .uid = 0 };

	return rig_ask(from, X2G_SIGNAL, &req);
}

static int kept_of(uint32_t pid, uint32_t uid)
{
	struct x2g_keep_req req = { .pid = pid, .uid = uid, .weight = 1 };
	struct kept_part part = { .name = "s0" };

	return rig_ask_tail(&p0, X2G_KEEP, &req, &part, sizeof(part));
}

/* Whose process it is counts, and who the connection says that the peer is, not what the request claims. */
static void test_signal(void **state)
{
	rack_back();
	assert_int_equal(kept_of(77, getuid()), 0);
	assert_int_equal(kept_of(78, getuid() + 1), 0);
	assert_int_equal(keep_end(&p0), 0);
	assert_int_equal(signal_to(&command, 77, SIGTERM), 0);
	assert_int_equal(p0.signal.pid, 77);
	assert_int_equal(p0.signal.signal, SIGTERM);
	assert_int_equal(signal_to(&command, 78, SIGHUP), getuid() ? -EPERM : 0);
	assert_int_equal(signal_to(&command, 79, SIGTERM), -ESRCH);
	assert_int_equal(signal_to(&command, 77, -1), -EINVAL);
	assert_int_equal(signal_to(&command, 77, 1000), -EINVAL);
	assert_int_equal(signal_to(&m0, 77, SIGTERM), -EPERM);
	p0.signal_answer = -ESRCH;
	assert_int_equal(signal_to(&command, 77, SIGTERM), -ESRCH);
}

static void test_run_user(void **state)
{
	struct x2g_run_req req = run_req(0);

	assert_int_equal(join_as(&m0, KIND_MEMORY, "m0", 64 * MB), 0);
	assert_int_equal(join_as(&s0, KIND_STORAGE, "s0", 0), 0);
	assert_int_equal(join_as(&p0, KIND_PROCESSOR, "p0", 64 * MB), 0);
	rig_connect(&command, gmm_addr, KIND_COMMAND);
	req.uid = getuid() + 5;
	req.gid = getgid() + 5;
	assert_int_equal(rig_ask(&command, X2G_RUN, &req), 0);
	assert_int_equal(p0.admit.uid, getuid());
	assert_int_equal(p0.admit.gid, getgid());
	assert_int_equal(s0.admit.uid, getuid());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kept, up, down),
		cmocka_unit_test_setup_teardown(test_anew, up, down),
		cmocka_unit_test_setup_teardown(test_again, up, down),
		cmocka_unit_test_setup_teardown(test_keep_refused, up, down),
		cmocka_unit_test_setup_teardown(test_ps, up, down),
		cmocka_unit_test_setup_teardown(test_signal, up, down),
		cmocka_unit_test_setup_teardown(test_run_user, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
