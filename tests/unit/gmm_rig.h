/* For tests of the gmm: one gmm, and components and commands that the test plays. */
#ifndef ASHLAR_TESTS_GMM_RIG_H
#define ASHLAR_TESTS_GMM_RIG_H
#include "gmm/gmm.h"
#include "monitor_rig.h"

static struct gmm *gmm;
static struct net_listener *gmm_listener;
static const char *gmm_addr;

static inline void gmm_accept(void *arg, struct net_conn *conn)
{
	gmm_accepted(gmm, conn);
}

static inline int gmm_up(void **state)
{
	struct gmm_config config = { .counters = &rig_counters };

	if (rig_open(state))
		return -1;
	config.loop = rig_loop;
	config.net = rig_net;
	if (gmm_open(&config, &gmm) || net_listen(rig_net, "local:auto", gmm_accept, NULL, &gmm_listener))
		return -1;
	gmm_addr = net_listener_addr(gmm_listener);
	return 0;
}

static inline int gmm_down(void **state)
{
	net_listener_close(gmm_listener);
	gmm_close(gmm);
	return rig_close(state);
}

static inline struct x2g_join_req join_req(uint32_t kind, const char *name, uint64_t bytes)
{
	struct x2g_join_req req = { .kind = kind, .bytes = bytes };

	snprintf(req.name, sizeof(req.name), "%s", name);
	snprintf(req.domain, sizeof(req.domain), "rack0");
	snprintf(req.addr, sizeof(req.addr), "local:@%s", name);
	return req;
}

static inline int join_as(struct rig_peer *p, enum wire_kind kind, const char *name, uint64_t bytes)
{
	struct x2g_join_req req = join_req(kind, name, bytes);

	rig_connect(p, gmm_addr, kind);
	return rig_ask(p, X2G_JOIN, &req);
}

static struct rack_row status_row[RACK_COMPONENTS_MAX];
static struct x2g_status_rep status_rep;

/* The first page of the rack's table, into status_row and status_rep. */
static inline void status_get(struct rig_peer *command)
{
	struct x2g_status_req req = { 0 };

	assert_int_equal(rig_ask(command, X2G_STATUS, &req), 0);
	memcpy(&status_rep, rig_answer.rep, sizeof(status_rep));
	assert_int_equal(rig_answer.tail_bytes, status_rep.rows * sizeof(status_row[0]));
	memcpy(status_row, rig_answer.tail, rig_answer.tail_bytes);
}

static inline struct x2g_run_req run_req(uint64_t memory_bytes)
{
	return (struct x2g_run_req){ .memory_bytes = memory_bytes, .uid = getuid(), .gid = getgid() };
}

#endif
