/*
 * X2G_RUN: give a process its components.
 *
 *  1. choose: a processor component (policy), a storage component (the first that is up), memory components (policy)
 *  2. G2X_ADMIT to all of them at once, each with a capability of its own; the processor component also learns the others
 *  3. when all have answered: the command gets pid, address and capability of the processor component. One refusal, or
 *     the command gone meanwhile: G2X_REVOKE to all that were asked, and the command gets the refusal.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "gmm/internal.h"

#define ADMIT_MS 5000u /* less than a command waits for its answer */

/* The members of a kind that are up, as offers. */
struct offers {
	struct place_offer offer[RACK_COMPONENTS_MAX];
	struct member *member[RACK_COMPONENTS_MAX];
	unsigned n;
};

static int offers_of(struct gmm *g, uint32_t kind, struct offers *o)
{
	struct list *pos, *next;

	o->n = 0;
	list_for_each_safe(pos, next, &g->members) {
		struct member *m = container_of(pos, struct member, link);

		if (m->kind != kind || m->state != RACK_UP || m->telling)
			continue;
		o->member[o->n] = m;
		o->offer[o->n++] = (struct place_offer){
			.bytes = m->bytes,
			.promised = m->promised,
			.used = m->used_bytes,
			.processes = m->placed,
			.latency_class = m->latency_class,
		};
	}
	if (o->n)
		return 0;
	log_warn("a program cannot run: no %s component is up", kind_name(kind));
	return -ENODEV;
}

static int place_processor(struct gmm *g, struct gprocess *p, uint64_t budget)
{
	struct offers o;
	struct member *m;
	int err = offers_of(g, KIND_PROCESSOR, &o);

	if (err)
		return err;
	m = o.member[g->policy->processor(o.offer, o.n)];
	p->budget_bytes = budget ? budget : m->bytes;
	return gprocess_add_part(p, m, budget, 0);
}

static int place_storage(struct gmm *g, struct gprocess *p)
{
	struct offers o;
	int err = offers_of(g, KIND_STORAGE, &o);

	return err ? err : gprocess_add_part(p, o.member[0], 0, 0);
}

static int place_memory(struct gmm *g, struct gprocess *p, uint64_t promise)
{
	struct offers o;
	int err = offers_of(g, KIND_MEMORY, &o);

	if (!err)
		err = g->policy->memory(o.offer, o.n, PROCESS_MEMORY_MAX, promise);
	for (unsigned i = 0; !err && i < o.n; i++)
		if (o.offer[i].share)
			err = gprocess_add_part(p, o.member[i], o.offer[i].share, promise ? o.offer[i].share : 0);
	return err;
}

static void run_done(struct gprocess *p)
{
	struct member *m = member_find(p->g, p->part[PART_PROCESSOR].member_id);
	struct rpc_request *rq = p->run;
	struct x2g_run_rep rep = { 0 };

	p->run = NULL;
	if (!p->err && (!p->command || !m || !m->peer))
		p->err = -EPIPE;
	if (p->err) {
		rpc_reply_later(rq, p->err, NULL);
		gprocess_over(p, 0);
		return;
	}
	rep.cap = p->part[PART_PROCESSOR].cap;
	rep.excache_bytes = p->budget_bytes;
	rep.pid = p->pid;
	memcpy(rep.p_addr, m->addr, ADDR_BYTES);
	memcpy(rep.p_name, m->name, NAME_BYTES);
	p->command = NULL;
	rpc_reply_later(rq, 0, &rep);
}

static void admitted(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	struct gpart *part = arg;
	struct gprocess *p = part->process;
	const struct member *m = member_find(p->g, part->member_id);

	(void)rep;
	(void)tail;
	(void)tail_bytes;
	if (err && !p->err) {
		p->err = err == -ETIMEDOUT ? -EHOSTDOWN : err; /* it, not we, does not answer */
		log_warn("process %u is not taken by %s: %s", p->pid, m ? m->name : "a component that left",
			 strerror(-err));
	}
	if (p->pending == 1 && p->run)
		run_done(p); /* the last one; p stays while it is pending */
	gprocess_unref(p);
}

/* What the processor component learns of the others: storage first. */
static uint32_t parts_fill(struct gprocess *p, struct placement_part *parts)
{
	uint32_t n = 0;

	for (unsigned i = PART_STORAGE; i < p->n_parts; i++, n++) {
		const struct member *m = member_find(p->g, p->part[i].member_id);

		parts[n] = (struct placement_part){ .cap = p->part[i].cap,
						    .id = m->id,
						    .bytes = p->part[i].bytes,
						    .promised = p->part[i].promise != 0 };
		memcpy(parts[n].name, m->name, NAME_BYTES);
		memcpy(parts[n].addr, m->addr, ADDR_BYTES);
	}
	return n;
}

int gpart_admit(struct gpart *part, struct member *m, const struct placement_part *parts, uint32_t n,
		uint32_t deadline_ms, rpc_done_fn *done, void *arg)
{
	const struct gprocess *p = part->process;
	struct g2x_admit_req req = {
		.cap = part->cap,
		.bytes = part->bytes,
		.pid = p->pid,
		.processor_id = p->part[PART_PROCESSOR].member_id,
		.uid = p->uid,
		.gid = p->gid,
		.weight = p->weight,
		.n_memory = n ? n - 1 : 0,
	};

	return rpc_call(m->peer->rpc, G2X_ADMIT, p->pid, &req, n ? parts : NULL, n * (uint32_t)sizeof(*parts),
			deadline_ms, done, arg);
}

static int admit_one(struct gprocess *p, struct gpart *part)
{
	struct placement_part parts[PARTS_MAX];
	struct member *m = member_find(p->g, part->member_id);
	uint32_t n = m->kind == KIND_PROCESSOR ? parts_fill(p, parts) : 0;
	int err = gpart_admit(part, m, parts, n, ADMIT_MS, admitted, part);

	if (err)
		return err;
	part->asked = true;
	p->pending++;
	return 0;
}

static int place(struct gprocess *p, const struct x2g_run_req *req)
{
	uint64_t promise = (req->memory_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	int err;

	if (promise < req->memory_bytes)
		return -ENOMEM;
	err = place_processor(p->g, p, req->excache_bytes);
	if (!err)
		err = place_storage(p->g, p);
	if (!err)
		err = place_memory(p->g, p, promise);
	return err;
}

int grun_begin(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct x2g_run_req *req = body;
	struct gpeer *peer = rpc_ctx(rpc_request_rpc(rq));
	struct gprocess *p;
	int err;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (rpc_peer_kind(peer->rpc) != KIND_COMMAND)
		return -EPERM;
	if (req->weight > WEIGHT_MAX || req->reserved0)
		return -EINVAL;
	p = gprocess_new(peer->g);
	if (!p)
		return -EAGAIN;
	p->uid = req->uid;
	p->gid = req->gid;
	p->weight = req->weight ? req->weight : WEIGHT_DEFAULT;
	gpeer_user(peer, &p->uid, &p->gid);
	err = place(p, req);
	for (unsigned i = 0; !err && i < p->n_parts; i++)
		err = admit_one(p, &p->part[i]);
	if (err) {
		gprocess_over(p, 0); /* nobody is answered twice: p->run is not set */
		return err;
	}
	p->run = rq;
	p->command = peer;
	rpc_trust(peer->rpc);
	return RPC_LATER;
}

void grun_command_gone(struct gmm *g, struct gpeer *peer)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &g->processes) {
		struct gprocess *p = container_of(pos, struct gprocess, link);

		if (p->command == peer)
			p->command = NULL;
	}
}
