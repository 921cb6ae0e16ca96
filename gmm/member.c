/*
 * Membership. A component is
 *   up      joined, and heard of within HEARTBEAT_MISSES periods
 *   silent  not heard of: nothing new is placed there; up again with its next heartbeat
 *   dead    its connection closed, or it was silent and another came in its name. The same name may join anew: as another component, or (JOIN_AGAIN) as the same one,
 *           which has what it had
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "gmm/internal.h"

struct member *member_find(struct gmm *g, uint32_t id)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &g->members) {
		struct member *m = container_of(pos, struct member, link);

		if (m->id == id)
			return m;
	}
	return NULL;
}

struct member *member_by_name(struct gmm *g, const char *name)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &g->members) {
		struct member *m = container_of(pos, struct member, link);

		if (strcmp(m->name, name) == 0)
			return m;
	}
	return NULL;
}

static void member_free(struct gmm *g, struct member *m)
{
	list_del(&m->link);
	g->n_members--;
	free(m);
}

/* Where all rows are taken, the longest dead one gives way. */
static bool member_room(struct gmm *g)
{
	struct list *pos, *next;

	if (g->n_members < RACK_COMPONENTS_MAX)
		return true;
	list_for_each_safe(pos, next, &g->members) {
		struct member *m = container_of(pos, struct member, link);

		if (!m->peer) {
			member_free(g, m);
			return true;
		}
	}
	return false;
}

/* Text from the wire: terminated, not empty, printable, so that it may go into a table or a log. */
bool member_text_fits(const char *s, size_t bytes)
{
	size_t len = strnlen(s, bytes);

	if (len == 0 || len == bytes)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return true;
}

/* Components of kinds that nobody here knows may join. Those that are no components may not, nor under a false kind. */
static int kind_check(const struct rpc *rpc, uint32_t kind)
{
	uint32_t said = rpc_peer_kind(rpc);

	if (kind == KIND_NONE || kind == KIND_GMM || kind == KIND_DISPATCHER || kind == KIND_COMMAND)
		return -EPERM;
	return said == kind ? 0 : -EPERM;
}

static int join_check(struct gpeer *p, const struct x2g_join_req *req)
{
	int err = kind_check(p->rpc, req->kind);
	struct net_peer who;

	if (err)
		return err;
	/* A process that a node daemon vouches for is of the rack, but no component of it unless its user may start some */
	net_conn_peer(rpc_conn(p->rpc), &who);
	if (who.known && who.uid != 0 && who.uid != geteuid())
		return -EPERM;
	if (p->member)
		return -EALREADY;
	if (!member_text_fits(req->name, NAME_BYTES) || !member_text_fits(req->domain, NAME_BYTES) ||
	    !member_text_fits(req->addr, ADDR_BYTES) || req->flags & ~(uint32_t)JOIN_AGAIN)
		return -EINVAL;
	if (req->kind == KIND_MEMORY && req->bytes < PAGE_BYTES)
		return -EINVAL;
	return 0;
}

int member_join(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct x2g_join_req *req = body;
	struct x2g_join_rep *rep = rep_body;
	struct gpeer *p = rpc_ctx(rpc_request_rpc(rq));
	struct gmm *g = p->g;
	struct member *m, *old;
	int err = join_check(p, req);

	(void)tail;
	(void)tail_bytes;
	if (err)
		return err;
	old = member_by_name(g, req->name);
	if (old && old->peer && old->state != RACK_SILENT)
		return -EEXIST;
	/* A machine that went without a word leaves a connection that looks alive for long on some fabrics. */
	if (old && old->peer)
		gpeer_drop(old->peer);
	if (old) {
		if (req->flags & JOIN_AGAIN || old->kind == KIND_STORAGE)
			keep_unbind(g, old);
		member_free(g, old);
	}
	if (!member_room(g))
		return -ENOSPC;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->peer = p;
	m->id = g->id_next++;
	m->again = req->flags & JOIN_AGAIN;
	m->telling = m->again && req->kind == KIND_PROCESSOR;
	m->kind = req->kind;
	m->latency_class = req->latency_class;
	m->bytes = req->bytes;
	m->beat_ns = loop_now(g->loop);
	memcpy(m->name, req->name, NAME_BYTES);
	memcpy(m->domain, req->domain, NAME_BYTES);
	memcpy(m->addr, req->addr, ADDR_BYTES);
	list_add_tail(&g->members, &m->link);
	g->n_members++;
	p->member = m;
	rpc_trust(p->rpc);
	rep->epoch = ++g->epoch;
	rep->id = m->id;
	rep->heartbeat_ms = HEARTBEAT_MS;
	log_info("%s %s joined from %s", kind_name(m->kind), m->name, m->addr);
	keep_bind(g, m);
	return 0;
}

int member_beat(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct x2g_beat_req *req = body;
	struct x2g_beat_rep *rep = rep_body;
	struct gpeer *p = rpc_ctx(rpc_request_rpc(rq));
	struct member *m = p->member;

	(void)tail;
	(void)tail_bytes;
	if (!m)
		return -EPERM;
	if (req->reserved0)
		return -EINVAL;
	m->beat_ns = loop_now(p->g->loop);
	m->used_bytes = req->used_bytes;
	m->requests = req->requests;
	m->refused = req->refused;
	m->reported_processes = req->processes;
	if (m->state == RACK_SILENT) {
		m->state = RACK_UP;
		p->g->epoch++;
		log_warn("%s %s is heard of again", kind_name(m->kind), m->name);
	}
	rep->epoch = p->g->epoch;
	return 0;
}

/* With a processor component its processes end: their memory and files are revoked. Other kinds: their users decide. */
void member_dead(struct gmm *g, struct member *m)
{
	struct list *pos, *next;

	m->peer = NULL;
	m->state = RACK_DEAD;
	m->used_bytes = 0;
	m->reported_processes = 0;
	g->epoch++;
	log_info("%s %s left", kind_name(m->kind), m->name);
	if (m->kind != KIND_PROCESSOR)
		return;
	list_for_each_safe(pos, next, &g->processes) {
		struct gprocess *p = container_of(pos, struct gprocess, link);

		if (p->part[PART_PROCESSOR].member_id == m->id && !p->run)
			gprocess_over(p, m->id); /* one that is still being placed fails by itself */
	}
}

static void watch_due(void *arg)
{
	struct gmm *g = arg;
	uint64_t now = loop_now(g->loop);
	struct list *pos, *next;

	list_for_each_safe(pos, next, &g->members) {
		struct member *m = container_of(pos, struct member, link);

		if (m->state != RACK_UP || now - m->beat_ns <= (uint64_t)HEARTBEAT_MISSES * HEARTBEAT_MS * NS_PER_MS)
			continue;
		m->state = RACK_SILENT;
		g->epoch++;
		log_warn("%s %s is silent; nothing new is placed there", kind_name(m->kind), m->name);
	}
	log_flush();
	loop_timer_set(g->loop, &g->watch, now + HEARTBEAT_MS * NS_PER_MS);
}

void member_watch_begin(struct gmm *g)
{
	g->watch.fn = watch_due;
	g->watch.arg = g;
	loop_timer_set(g->loop, &g->watch, loop_now(g->loop) + HEARTBEAT_MS * NS_PER_MS);
}
