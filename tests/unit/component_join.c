/* Component: joining, being refused, losing the gmm and finding another; what the gmm may ask of it. */
#include "gmm_rig.h"

static struct component *c;
static unsigned joins, losses, failures;
static int failure, admits;
static uint32_t revoked;

static void accepted(void *ctx, struct net_conn *conn)
{
	net_conn_close(conn);
}
static int admit(void *ctx, const struct g2x_admit_req *req, const struct placement_part *parts, uint32_t n_parts)
{
	admits++;
	return n_parts ? 0 : -ENOENT;
}
static uint64_t revoke_it(void *ctx, uint32_t pid)
{
	revoked = pid;
	return 4096;
}
static void load(void *ctx, struct x2g_beat_req *beat)
{
	beat->used_bytes = 42;
}
static void gmm_lost(void *ctx)
{
	losses++;
}
static void joined(void *ctx)
{
	joins++;
}
static void failed(void *arg, int err)
{
	failures++;
	failure = err;
}

static const struct component_ops ops = {
	.accepted = accepted,
	.admit = admit,
	.revoke = revoke_it,
	.load = load,
	.gmm_lost = gmm_lost,
	.joined = joined,
};

static void component_up(const char *gmm_at, enum wire_kind kind)
{
	struct component_config config = {
		.kind = kind, .bytes = 1 << 20, .name = "c0", .domain = "d", .join_ms = 200
	};

	joins = losses = failures = 0;
	admits = 0;
	revoked = 0;
	strcpy(config.listen, "local:auto");
	snprintf(config.gmm, sizeof(config.gmm), "%s", gmm_at);
	log_set_fd(-1);
	assert_int_equal(component_open(rig_loop, rig_net, &config, &ops, NULL, &c), 0);
	assert_int_equal(component_start(c, failed, NULL), 0);
}

static void test_joins(void **state)
{
	struct rig_peer command;

	component_up(gmm_addr, KIND_MEMORY);
	rig_until(joins);
	assert_int_equal(component_id(c), 1);
	assert_non_null(component_gmm(c));
	rig_connect(&command, gmm_addr, KIND_COMMAND);
	rig_run_ms(50); /* the first heartbeat follows at once */
	status_get(&command);
	assert_string_equal(status_row[0].name, "c0");
	assert_string_equal(status_row[0].addr, component_addr(c));
	assert_int_equal(status_row[0].used_bytes, 42);
	rig_hang_up(&command);
	component_close(c);
}

static void test_name_taken(void **state)
{
	struct rig_peer first;

	assert_int_equal(join_as(&first, KIND_MEMORY, "c0", 1 << 20), 0);
	component_up(gmm_addr, KIND_MEMORY);
	rig_until(failures);
	assert_int_equal(failure, -EEXIST);
	assert_int_equal(joins, 0);
	rig_hang_up(&first);
	component_close(c);
}

static void test_nobody_there(void **state)
{
	component_up("local:@ashlar-test-nobody", KIND_MEMORY);
	rig_until(failures);
	assert_int_equal(failure, -ECONNREFUSED);
	component_close(c);
}

/* The gmm dies, another one comes at the same address: joined again, without anybody's help. */
static void test_gmm_restarts(void **state)
{
	struct gmm_config config = { .loop = rig_loop, .net = rig_net, .counters = &rig_counters };
	char addr[ADDR_BYTES];

	snprintf(addr, sizeof(addr), "%s", gmm_addr);
	component_up(addr, KIND_MEMORY);
	rig_until(joins == 1);
	net_listener_close(gmm_listener);
	gmm_close(gmm);
	rig_until(losses == 1);
	assert_null(component_gmm(c));
	component_beat(c); /* harmless */
	rig_run_ms(1200);  /* one attempt in vain */
	assert_int_equal(failures, 0);
	assert_int_equal(gmm_open(&config, &gmm), 0);
	assert_int_equal(net_listen(rig_net, addr, gmm_accept, NULL, &gmm_listener), 0);
	rig_until(joins == 2);
	component_close(c);
}

/* The test plays the gmm: the listener's connections come here. */
static struct rig_peer the_gmm;
static struct net_listener *fake_listener;

static int fake_join(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	((struct x2g_join_rep *)rep)->id = 7;
	return 0;
}
static int fake_beat(struct rpc_request *rq, const void *body, const void *tail, uint32_t n, void *rep)
{
	return 0;
}
static const struct rpc_service fake_service = {
	.handler = { [IDX_X2G_JOIN] = fake_join, [IDX_X2G_BEAT] = fake_beat },
	.closed = rig_closed,
};
static void fake_accept(void *arg, struct net_conn *conn)
{
	assert_int_equal(rpc_open(rig_loop, conn, KIND_GMM, &fake_service, &the_gmm, &rig_counters, &the_gmm.rpc), 0);
}

/* What reaches the monitor has been checked: parts only where they belong, all of them, with names that end. */
static void test_admissions_are_checked(void **state)
{
	struct g2x_admit_req req = { .pid = 5, .n_memory = 1, .weight = 1 };
	struct placement_part parts[2] = { { .name = "s0" }, { .name = "m0" } };
	struct g2x_revoke_req end = { .pid = 5 };
	uint32_t bytes = sizeof(parts);

	assert_int_equal(net_listen(rig_net, "local:auto", fake_accept, NULL, &fake_listener), 0);
	component_up(net_listener_addr(fake_listener), KIND_PROCESSOR);
	rig_until(joins);
	assert_int_equal(rig_ask_tail(&the_gmm, G2X_ADMIT, &req, parts, bytes), 0);
	assert_int_equal(rig_ask_tail(&the_gmm, G2X_ADMIT, &req, parts, bytes - 8), -EINVAL);
	assert_int_equal(rig_ask(&the_gmm, G2X_ADMIT, &req), -EINVAL);
	req.n_memory = PROCESS_MEMORY_MAX + 1;
	assert_int_equal(rig_ask_tail(&the_gmm, G2X_ADMIT, &req, parts, bytes), -EINVAL);
	req.n_memory = UINT32_MAX;
	assert_int_equal(rig_ask_tail(&the_gmm, G2X_ADMIT, &req, parts, bytes), -EINVAL);
	req.n_memory = 1;
	memset(parts[1].addr, 'x', sizeof(parts[1].addr));
	assert_int_equal(rig_ask_tail(&the_gmm, G2X_ADMIT, &req, parts, bytes), -EINVAL);
	parts[1].addr[0] = 0;
	memset(parts[1].addr, 0, sizeof(parts[1].addr));
	req.weight = 0;
	assert_int_equal(rig_ask_tail(&the_gmm, G2X_ADMIT, &req, parts, bytes), -EINVAL);
	req.weight = WEIGHT_MAX + 1;
	assert_int_equal(rig_ask_tail(&the_gmm, G2X_ADMIT, &req, parts, bytes), -EINVAL);
	req.weight = 1;
	req.pid = 0;
	assert_int_equal(rig_ask_tail(&the_gmm, G2X_ADMIT, &req, parts, bytes), -EINVAL);
	assert_int_equal(admits, 1);
	assert_int_equal(rig_ask(&the_gmm, G2X_REVOKE, &end), 0);
	assert_int_equal(revoked, 5);
	assert_int_equal(((struct g2x_revoke_rep *)rig_answer.rep)->released_bytes, 4096);
	component_close(c);
	rig_until(!the_gmm.rpc);
	net_listener_close(fake_listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_joins, gmm_up, gmm_down),
		cmocka_unit_test_setup_teardown(test_name_taken, gmm_up, gmm_down),
		cmocka_unit_test_setup_teardown(test_nobody_there, gmm_up, gmm_down),
		cmocka_unit_test_setup_teardown(test_gmm_restarts, gmm_up, gmm_down),
		cmocka_unit_test_setup_teardown(test_admissions_are_checked, gmm_up, gmm_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
