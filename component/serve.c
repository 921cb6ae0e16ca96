/*
 * What the gmm asks of a component, over the connection by which the component joined: the edge g2x.
 * Everything in a request is checked here, once for all monitors, before the monitor sees it.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include "component/internal.h"

static bool terminated(const char *s, size_t bytes)
{
	return memchr(s, 0, bytes) != NULL;
}

static int parts_check(const struct component *c, const struct g2x_admit_req *req, const struct placement_part *parts,
		       uint32_t tail_bytes, uint32_t *n)
{
	*n = 0;
	if (c->config.kind != KIND_PROCESSOR)
		return tail_bytes || req->n_memory ? -EINVAL : 0;
	if (req->n_memory == 0 || req->n_memory > PROCESS_MEMORY_MAX)
		return -EINVAL;
	*n = req->n_memory + 1;
	if (tail_bytes != *n * sizeof(*parts))
		return -EINVAL;
	for (uint32_t i = 0; i < *n; i++)
		if (!terminated(parts[i].name, NAME_BYTES) || !terminated(parts[i].addr, ADDR_BYTES) ||
		    parts[i].promised > 1 || parts[i].reserved1)
			return -EINVAL;
	return 0;
}

static int admit(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	struct component *c = rpc_ctx(rpc_request_rpc(rq));
	const struct g2x_admit_req *req = body;
	uint32_t n;
	int err = parts_check(c, req, tail, tail_bytes, &n);

	(void)rep;
	if (err || req->pid == 0 || req->weight == 0 || req->weight > WEIGHT_MAX)
		return -EINVAL;
	if (!c->ops->admit)
		return -ENOSYS;
	return c->ops->admit(c->ctx, req, tail, n);
}

static int revoke_it(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	struct component *c = rpc_ctx(rpc_request_rpc(rq));
	const struct g2x_revoke_req *req = body;
	struct g2x_revoke_rep *rep = rep_body;

	(void)tail;
	(void)tail_bytes;
	if (req->pid == 0 || req->reserved0)
		return -EINVAL;
	if (!c->ops->revoke)
		return -ENOSYS;
	rep->released_bytes = c->ops->revoke(c->ctx, req->pid);
	return 0;
}

static int usage(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	struct component *c = rpc_ctx(rpc_request_rpc(rq));
	struct process_usage rows[PS_BATCH_MAX] = { 0 };
	const struct g2x_usage_req *req = body;
	struct g2x_usage_rep *rep = rep_body;

	if (req->n > PS_BATCH_MAX || tail_bytes != req->n * sizeof(uint32_t) || req->reserved0)
		return -EINVAL;
	if (!c->ops->usage)
		return -ENOSYS;
	c->ops->usage(c->ctx, tail, req->n, rows);
	rep->n = req->n;
	return rpc_reply_tail(rq, rows, req->n * (uint32_t)sizeof(rows[0]));
}

static int signal_send(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	struct component *c = rpc_ctx(rpc_request_rpc(rq));
	const struct g2x_signal_req *req = body;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (req->pid == 0 || req->signal < 0 || req->signal > SIGRTMAX)
		return -EINVAL;
	return c->ops->signal ? c->ops->signal(c->ctx, req->pid, req->signal) : -ENOSYS;
}

static int tree(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	struct component *c = rpc_ctx(rpc_request_rpc(rq));
	struct member_row rows[PS_BATCH_MAX] = { 0 };
	const struct g2x_tree_req *req = body;
	struct g2x_tree_rep *rep = rep_body;
	int n;

	(void)tail;
	(void)tail_bytes;
	if (req->pid == 0)
		return -EINVAL;
	if (!c->ops->tree)
		return -ENOSYS;
	n = c->ops->tree(c->ctx, req->pid, req->after, rows, PS_BATCH_MAX);
	if (n < 0)
		return n;
	rep->rows = (uint32_t)n;
	return rpc_reply_tail(rq, rows, rep->rows * (uint32_t)sizeof(rows[0]));
}

static int hello(struct rpc *rpc)
{
	return rpc_peer_kind(rpc) == KIND_GMM ? 0 : -EPERM;
}

static void closed(struct rpc *rpc, int err)
{
	struct component *c = rpc_ctx(rpc);

	join_lost(c, err);
}

const struct rpc_service component_gmm_service = {
	.handler = {
		[IDX_G2X_ADMIT] = admit,
		[IDX_G2X_REVOKE] = revoke_it,
		[IDX_G2X_USAGE] = usage,
		[IDX_G2X_SIGNAL] = signal_send,
		[IDX_G2X_TREE] = tree,
	},
	.closed = closed,
	.hello = hello,
};
