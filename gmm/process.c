/* Processes of the rack: what each has where, and its end: revoked on every component that was asked to expect it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "gmm/internal.h"

struct gprocess *gprocess_by_pid(struct gmm *g, uint32_t pid)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &g->processes) {
		struct gprocess *p = container_of(pos, struct gprocess, link);

		if (p->pid == pid)
			return p;
	}
	return NULL;
}

static uint32_t pid_new(struct gmm *g)
{
	uint32_t pid;

	do {
		pid = g->pid_next++;
		if (g->pid_next > INT32_MAX)
			g->pid_next = 1;
	} while (gprocess_by_pid(g, pid));
	return pid;
}

static struct gprocess *gprocess_make(struct gmm *g, uint32_t pid)
{
	struct gprocess *p = g->n_processes < PROCESSES_MAX ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	p->g = g;
	p->pid = pid;
	list_add_tail(&g->processes, &p->link);
	g->n_processes++;
	return p;
}

struct gprocess *gprocess_new(struct gmm *g)
{
	return gprocess_make(g, pid_new(g));
}

struct gprocess *gprocess_kept(struct gmm *g, uint32_t pid)
{
	return gprocess_by_pid(g, pid) ? NULL : gprocess_make(g, pid);
}

int gprocess_add_part(struct gprocess *p, struct member *m, uint64_t bytes, uint64_t promise)
{
	struct gpart *part = &p->part[p->n_parts];

	if (p->n_parts >= PARTS_MAX)
		return -EINVAL;
	p->n_parts++;
	part->process = p;
	part->member_id = m->id;
	memcpy(part->name, m->name, NAME_BYTES);
	part->bytes = bytes;
	part->promise = promise;
	loop_random(p->g->loop, &part->cap, sizeof(part->cap));
	m->promised += promise;
	m->placed++;
	return 0;
}

static void revoked(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	(void)arg;
	(void)rep;
	(void)tail;
	(void)tail_bytes;
	if (err && err != -EPIPE && err != -ECANCELED)
		log_warn("a revocation went unanswered: error %d", -err);
}

static void part_end(struct gprocess *p, struct gpart *part, uint32_t except)
{
	struct member *m = member_find(p->g, part->member_id);
	struct g2x_revoke_req req = { .pid = p->pid };
	int err;

	if (!m)
		return;
	m->promised -= part->promise;
	m->placed--;
	if (!part->asked || !m->peer || m->id == except)
		return;
	err = rpc_call(m->peer->rpc, G2X_REVOKE, p->pid, &req, NULL, 0, RPC_DEADLINE_MS, revoked, NULL);
	if (err && err != -EPIPE)
		log_warn("%s cannot be told that process %u is over", m->name, p->pid);
}

void gprocess_over(struct gprocess *p, uint32_t except)
{
	if (p->over)
		return;
	p->over = true;
	list_del(&p->link);
	p->g->n_processes--;
	for (unsigned i = 0; i < p->n_parts; i++)
		part_end(p, &p->part[i], except);
	if (p->pending == 0)
		free(p);
}

void gprocess_unref(struct gprocess *p)
{
	p->pending--;
	if (p->over && p->pending == 0)
		free(p);
}

int gprocess_end(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct x2g_end_req *req = body;
	struct gpeer *peer = rpc_ctx(rpc_request_rpc(rq));
	struct gprocess *p;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (!peer->member || peer->member->kind != KIND_PROCESSOR)
		return -EPERM;
	p = gprocess_by_pid(peer->g, req->pid);
	if (!p || p->run)
		return -ESRCH;
	if (p->part[PART_PROCESSOR].member_id != peer->member->id)
		return -EPERM;
	gprocess_over(p, peer->member->id);
	return 0;
}
