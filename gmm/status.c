/* X2G_STATUS: the rack as a table, in pages of as many rows as a message holds. For commands. */
#include <errno.h>
#include <string.h>
#include "ashlar/base/clock.h"
#include "gmm/internal.h"

#define ROWS_MAX (MSG_TAIL_MAX / sizeof(struct rack_row))

static void row_fill(const struct gmm *g, const struct member *m, struct rack_row *row)
{
	*row = (struct rack_row){
		.bytes = m->bytes,
		.used_bytes = m->used_bytes,
		.requests = m->requests,
		.refused = m->refused,
		.id = m->id,
		.kind = m->kind,
		.processes = m->reported_processes,
		.state = m->state,
		.beat_age_ms = (loop_now(g->loop) - m->beat_ns) / NS_PER_MS,
	};
	memcpy(row->name, m->name, NAME_BYTES);
	memcpy(row->addr, m->addr, ADDR_BYTES);
}

int gmm_status(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct x2g_status_req *req = body;
	struct x2g_status_rep *rep = rep_body;
	struct gpeer *peer = rpc_ctx(rpc_request_rpc(rq));
	struct gmm *g = peer->g;
	struct rack_row rows[ROWS_MAX];
	struct list *pos, *next;
	uint32_t at = 0;

	(void)tail;
	(void)tail_bytes;
	if (rpc_peer_kind(peer->rpc) != KIND_COMMAND)
		return -EPERM;
	if (req->reserved0)
		return -EINVAL;
	list_for_each_safe(pos, next, &g->members) {
		if (at++ < req->first || rep->rows >= ROWS_MAX)
			continue;
		row_fill(g, container_of(pos, struct member, link), &rows[rep->rows++]);
	}
	rep->epoch = g->epoch;
	rep->total = at;
	rep->processes = g->n_processes;
	return rpc_reply_tail(rq, rows, rep->rows * (uint32_t)sizeof(rows[0]));
}
