/* The gmm as an object, and its connections. */
#include <errno.h>
#include <stdlib.h>
#include "ashlar/base/log.h"
#include "gmm/internal.h"

/*
 * pids of the rack start at a random multiple of 1000: components outlive a gmm, and the next one's pids should not
 * meet those that still run (if they do, the component answers -EEXIST and the run fails in words).
 */
static uint32_t first_pid(struct loop *loop)
{
	uint32_t r;

	loop_random(loop, &r, sizeof(r));
	return r % 2000000 * 1000 + 1;
}

int gmm_open(const struct gmm_config *config, struct gmm **out)
{
	const struct place_policy *policy = place_policy(config->placement);
	struct gmm *g;

	if (!policy)
		return -ENOENT;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->loop = config->loop;
	g->net = config->net;
	g->counters = config->counters;
	g->policy = policy;
	g->id_next = 1;
	g->pid_next = first_pid(g->loop);
	list_init(&g->members);
	list_init(&g->peers);
	list_init(&g->processes);
	member_watch_begin(g);
	*out = g;
	return 0;
}

static void processes_forget(struct gmm *g)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &g->processes)
		free(container_of(pos, struct gprocess, link));
}

static void peer_free(struct gpeer *p)
{
	list_del(&p->link);
	p->g->n_peers--;
	free(p);
}

void gmm_close(struct gmm *g)
{
	struct list *pos, *next;

	if (!g)
		return;
	loop_timer_del(g->loop, &g->watch);
	/* Nobody is told anything from here on. */
	list_for_each_safe(pos, next, &g->members)
		container_of(pos, struct member, link)->peer = NULL;
	list_for_each_safe(pos, next, &g->peers) {
		struct gpeer *p = container_of(pos, struct gpeer, link);

		rpc_close(p->rpc); /* admissions under way end here, with -ECANCELED */
		peer_free(p);
	}
	processes_forget(g);
	list_for_each_safe(pos, next, &g->members)
		free(container_of(pos, struct member, link));
	free(g);
}

static void peer_gone(struct gpeer *p)
{
	struct member *m = p->member;

	grun_command_gone(p->g, p);
	if (m)
		member_dead(p->g, m);
	peer_free(p);
}

static void closed(struct rpc *rpc, int err)
{
	(void)err;
	peer_gone(rpc_ctx(rpc));
}

void gpeer_drop(struct gpeer *p)
{
	struct rpc *rpc = p->rpc;

	peer_gone(p);
	rpc_close(rpc);
}

static const struct rpc_service service = {
	.handler = {
		[IDX_X2G_JOIN] = member_join,
		[IDX_X2G_BEAT] = member_beat,
		[IDX_X2G_END] = gprocess_end,
		[IDX_X2G_RUN] = grun_begin,
		[IDX_X2G_STATUS] = gmm_status,
		[IDX_X2G_KEEP] = keep_process,
		[IDX_X2G_PS] = ps_begin,
		[IDX_X2G_SIGNAL] = signal_begin,
		[IDX_X2G_TREE] = tree_begin,
	},
	.closed = closed,
	.lobby = true,
};

void gmm_accepted(void *ctx, struct net_conn *conn)
{
	struct gmm *g = ctx;
	struct gpeer *p = g->n_peers < CONNECTIONS_MAX ? calloc(1, sizeof(*p)) : NULL;

	if (!p) {
		log_warn("a connection is refused: %u are open", g->n_peers);
		net_conn_close(conn);
		return;
	}
	p->g = g;
	if (rpc_open(g->loop, conn, KIND_GMM, &service, p, g->counters, &p->rpc)) {
		free(p);
		return;
	}
	list_add_tail(&g->peers, &p->link);
	g->n_peers++;
}
