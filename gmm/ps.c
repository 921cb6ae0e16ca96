/*
 * X2G_PS: what the rack's processes do and use. The gmm knows who they are and where; their components are asked for
 * the rest, all at once. One that does not answer in time leaves its part of the rows unknown, and they say so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "gmm/internal.h"

#define USAGE_MS 1000u

struct ps_query {
	struct rpc_request *rq;
	struct ps_row rows[PS_BATCH_MAX];
	uint32_t n;
	unsigned pending;
};

/* One component's question: which of the rows it is about. */
struct ps_ask {
	struct ps_query *query;
	bool processor;
	uint32_t n, row[PS_BATCH_MAX];
};

static void query_done(struct ps_query *q)
{
	struct x2g_ps_rep rep = { .rows = q->n };
	int err;

	if (--q->pending)
		return;
	err = rpc_reply_tail(q->rq, q->rows, q->n * (uint32_t)sizeof(q->rows[0]));
	rpc_reply_later(q->rq, err, &rep);
	free(q);
}

static void row_merge(struct ps_row *row, bool processor, const struct process_usage *u)
{
	if (!processor) {
		row->remote_bytes += u->bytes;
		row->silent--;
		return;
	}
	row->state = u->state ? u->state : '-';
	row->local_bytes = u->bytes;
	row->cpu_ns = u->cpu_ns;
	row->age_ms = u->age_ms;
	row->members = u->members;
	memcpy(row->program, u->program, NAME_BYTES);
	row->program[NAME_BYTES - 1] = 0;
}

static void answered(void *arg, int err, const void *rep_body, const void *tail, uint32_t tail_bytes)
{
	const struct g2x_usage_rep *rep = rep_body;
	const struct process_usage *usage = tail;
	struct ps_ask *ask = arg;

	if (!err && rep->n == ask->n && tail_bytes == ask->n * sizeof(*usage))
		for (uint32_t i = 0; i < ask->n; i++)
			row_merge(&ask->query->rows[ask->row[i]], ask->processor, &usage[i]);
	query_done(ask->query);
	free(ask);
}

static bool has_part(const struct gmm *g, uint32_t pid, const struct member *m)
{
	const struct gprocess *p = gprocess_by_pid((struct gmm *)g, pid);

	for (unsigned i = 0; p && i < p->n_parts; i++)
		if (p->part[i].member_id == m->id)
			return true;
	return false;
}

static int ask_one(struct ps_query *q, struct gmm *g, struct member *m)
{
	struct ps_ask *ask = calloc(1, sizeof(*ask));
	struct g2x_usage_req req = { 0 };
	uint32_t pids[PS_BATCH_MAX];
	int err = 0;

	if (!ask)
		return -ENOMEM;
	ask->query = q;
	ask->processor = m->kind == KIND_PROCESSOR;
	for (uint32_t i = 0; i < q->n; i++)
		if (has_part(g, q->rows[i].pid, m)) {
			pids[ask->n] = q->rows[i].pid;
			ask->row[ask->n++] = i;
			q->rows[i].silent += !ask->processor;
		}
	req.n = ask->n;
	if (ask->n)
		err = rpc_call(m->peer->rpc, G2X_USAGE, 0, &req, pids, req.n * (uint32_t)sizeof(pids[0]), USAGE_MS,
			       answered, ask);
	if (err || !ask->n)
		free(ask);
	else
		q->pending++;
	return err;
}

/* The rows with the lowest pids above `after`, in order. */
static void rows_fill(struct ps_query *q, struct gmm *g, uint32_t after)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &g->processes) {
		const struct gprocess *p = container_of(pos, struct gprocess, link);
		uint32_t at = q->n;

		if (p->pid <= after)
			continue;
		while (at > 0 && q->rows[at - 1].pid > p->pid)
			at--;
		if (at == PS_BATCH_MAX)
			continue;
		if (q->n == PS_BATCH_MAX)
			q->n--;
		memmove(q->rows + at + 1, q->rows + at, (q->n - at) * sizeof(q->rows[0]));
		q->n++;
		q->rows[at] = (struct ps_row){
			.pid = p->pid, .uid = p->uid, .budget_bytes = p->budget_bytes, .state = p->run ? '-' : '?'
		};
		memcpy(q->rows[at].processor, p->part[PART_PROCESSOR].name, NAME_BYTES);
	}
}

int ps_begin(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct x2g_ps_req *req = body;
	struct gpeer *peer = rpc_ctx(rpc_request_rpc(rq));
	struct list *pos, *next;
	struct ps_query *q;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (rpc_peer_kind(peer->rpc) != KIND_COMMAND)
		return -EPERM;
	if (req->reserved0)
		return -EINVAL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->rq = rq;
	q->pending = 1; /* ours */
	rows_fill(q, peer->g, req->after);
	list_for_each_safe(pos, next, &peer->g->members) {
		struct member *m = container_of(pos, struct member, link);

		if (q->n && m->peer && (m->kind == KIND_PROCESSOR || m->kind == KIND_MEMORY) && ask_one(q, peer->g, m))
			log_warn("%s cannot be asked about its processes", m->name);
	}
	query_done(q);
	return RPC_LATER;
}
