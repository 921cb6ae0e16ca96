/* X2G_TREE: the processes of a tree, as the node daemon that they run under has them. */
#include <errno.h>
#include "gmm/internal.h"

#define TREE_MS 1000u

static void answered(void *arg, int err, const void *rep_body, const void *tail, uint32_t tail_bytes)
{
	const struct g2x_tree_rep *there = rep_body;
	struct x2g_tree_rep rep = { 0 };
	struct rpc_request *rq = arg;

	if (!err && (there->rows > PS_BATCH_MAX || tail_bytes != there->rows * sizeof(struct member_row)))
		err = -EPROTO;
	if (!err) {
		rep.rows = there->rows;
		err = rpc_reply_tail(rq, tail, tail_bytes);
	}
	rpc_reply_later(rq, err == -ETIMEDOUT || err == -EPIPE ? -EHOSTDOWN : err, &rep);
}

int tree_begin(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct x2g_tree_req *req = body;
	struct gpeer *peer = rpc_ctx(rpc_request_rpc(rq));
	struct g2x_tree_req there = { .pid = req->pid, .after = req->after };
	const struct gprocess *p = gprocess_by_pid(peer->g, req->pid);
	const struct member *m;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (rpc_peer_kind(peer->rpc) != KIND_COMMAND)
		return -EPERM;
	if (!p || p->over || p->run)
		return -ESRCH;
	m = member_find(peer->g, p->part[PART_PROCESSOR].member_id);
	if (!m || !m->peer || rpc_call(m->peer->rpc, G2X_TREE, p->pid, &there, NULL, 0, TREE_MS, answered, rq))
		return -EHOSTDOWN;
	return RPC_LATER;
}
