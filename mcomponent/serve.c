/*
 * Requests to the memory monitor, edge p2m. Each handler decodes and checks everything, then does what cannot fail.
 *
 * A connection starts as nobody's. P2M_HELLO (dispatcher) or P2M_GUARD (node daemon) with pid and capability binds it to
 * a process; every other request before that is -EACCES and counted. What a wrong capability and an unknown pid answer
 * is the same, so that nobody learns who is here.
 */
#include <errno.h>
#include "ashlar/base/log.h"
#include "mcomponent/internal.h"

/* One more refusal; p: the process it concerns, where one is known. */
static int refuse(struct mcomponent *m, struct mprocess *p, int err)
{
	if (p)
		p->refused++;
	if (err == -EACCES)
		m->refused++;
	return err;
}

static struct peer *request_peer(const struct rpc_request *rq)
{
	return rpc_ctx(rpc_request_rpc(rq));
}

/* The process of a dispatcher's request, counted; NULL: nobody proved anything on this connection. */
static struct mprocess *request_process(struct peer *peer)
{
	if (peer->role != PEER_DISPATCHER || !peer->process) {
		refuse(peer->m, NULL, -EACCES);
		return NULL;
	}
	peer->process->requests++;
	return peer->process;
}

/* Does this connection prove to be of the kind and to have the capability of process pid? */
static int prove(struct peer *peer, enum wire_kind kind, uint32_t pid, const struct cap *cap, struct mprocess **out)
{
	struct mprocess *p = mprocess_find(peer->m, pid);

	if (rpc_peer_kind(peer->base.rpc) != kind || !p || !cap_equal(&p->cap, cap)) {
		refuse(peer->m, p, -EACCES);
		return rpc_refused(peer->base.rpc, pid, "without the capability");
	}
	*out = p;
	return 0;
}

static int hello(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct p2m_hello_req *req = body;
	struct p2m_hello_rep *rep = rep_body;
	struct peer *peer = request_peer(rq);
	struct mprocess *p;
	int err;

	(void)tail;
	(void)tail_bytes;
	if (req->member)
		return -EINVAL;
	err = prove(peer, KIND_DISPATCHER, req->pid, &req->cap, &p);
	if (err)
		return err;
	if (p->dispatcher || peer->process)
		return refuse(peer->m, p, -EBUSY);
	peer->role = PEER_DISPATCHER;
	peer->process = p;
	p->dispatcher = peer;
	rpc_trust(peer->base.rpc);
	(void)!rpc_queue_charge(peer->base.rpc, p->pid, p->weight); /* without memory it goes on as nobody's */
	p->requests++;
	rep->quota_bytes = p->account.quota * PAGE_BYTES;
	rep->slab_frames_max = SLAB_FRAMES_MAX;
	return 0;
}

static int guard(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct p2m_guard_req *req = body;
	struct peer *peer = request_peer(rq);
	struct mprocess *p;
	int err;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (req->reserved0)
		return -EINVAL;
	err = prove(peer, KIND_PROCESSOR, req->pid, &req->cap, &p);
	if (err)
		return err;
	if (p->guard || peer->process)
		return refuse(peer->m, p, -EBUSY);
	peer->role = PEER_GUARD;
	peer->process = p;
	p->guard = peer;
	rpc_trust(peer->base.rpc);
	(void)!rpc_queue_charge(peer->base.rpc, p->pid, p->weight);
	return 0;
}

static int get(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct p2m_slab_get_req *req = body;
	struct p2m_slab_get_rep *rep = rep_body;
	struct peer *peer = request_peer(rq);
	struct mprocess *p = request_process(peer);
	struct slab *s;
	int err;

	(void)tail;
	(void)tail_bytes;
	if (!p)
		return -EACCES;
	if (req->frames == 0 || req->frames > SLAB_FRAMES_MAX || req->reserved0)
		return refuse(peer->m, p, -EINVAL);
	err = mslab_get(p, peer, req->frames, &rep->key, &s);
	if (err)
		return refuse(peer->m, p, err);
	rep->slab = s->id;
	rep->frames = s->frames;
	return 0;
}

static int seal(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct p2m_slab_seal_req *req = body;
	struct peer *peer = request_peer(rq);
	struct mprocess *p = request_process(peer);
	struct slab *s;
	int err;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (!p)
		return -EACCES;
	s = mslab_find(p, req->slab);
	err = s ? mslab_seal(p, s) : -ENOENT;
	return err ? refuse(peer->m, p, err) : 0;
}

static int put(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct p2m_slab_put_req *req = body;
	struct peer *peer = request_peer(rq);
	struct mprocess *p = request_process(peer);
	struct slab *s;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (!p)
		return -EACCES;
	s = mslab_find(p, req->slab);
	if (!s)
		return refuse(peer->m, p, -ENOENT);
	mslab_put(p, s);
	return 0;
}

static int map(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct p2m_map_req *req = body;
	struct p2m_map_rep *rep = rep_body;
	struct peer *peer = request_peer(rq);
	struct mprocess *p = request_process(peer);
	int err;

	if (!p)
		return -EACCES;
	if (req->n == 0 || req->n > MAP_BATCH_MAX || req->reserved0 || tail_bytes != req->n * sizeof(struct map_entry))
		return refuse(peer->m, p, -EINVAL);
	err = mpagemap_check(p, tail, req->n);
	if (!err)
		err = mpagemap_apply(p, tail, req->n);
	if (err)
		return refuse(peer->m, p, err);
	rep->mapped_pages = p->page_map.count;
	return 0;
}

static int stat(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct p2m_stat_req *req = body;
	struct p2m_stat_rep *rep = rep_body;
	struct peer *peer = request_peer(rq);
	const struct mprocess *p = request_process(peer);

	(void)tail;
	(void)tail_bytes;
	if (!p)
		return -EACCES;
	if (req->reserved0)
		return -EINVAL;
	rep->slabs = p->n_slabs;
	rep->sealed_slabs = p->n_sealed;
	rep->frames = p->account.granted;
	rep->mapped_pages = p->page_map.count;
	rep->requests = p->requests;
	rep->refused = p->refused;
	return 0;
}

void mpeer_forget(struct peer *peer)
{
	peer->process = NULL;
	if (peer->role == PEER_DISPATCHER)
		peer_close(&peer->base);
}

static void closed(struct rpc *rpc, int err)
{
	struct peer *peer = rpc_ctx(rpc);
	struct mprocess *p = peer->process;

	(void)err;
	if (p) {
		/* This peer is freed here, so the release must not forget it as well. */
		if (p->dispatcher == peer)
			p->dispatcher = NULL;
		else
			p->guard = NULL;
	}
	peer_free(&peer->base);
	if (p)
		mprocess_release(p);
}

const struct rpc_service mcomponent_service = {
	.handler = {
		[IDX_P2M_HELLO] = hello,
		[IDX_P2M_GUARD] = guard,
		[IDX_P2M_SLAB_GET] = get,
		[IDX_P2M_SLAB_SEAL] = seal,
		[IDX_P2M_SLAB_PUT] = put,
		[IDX_P2M_MAP] = map,
		[IDX_P2M_STAT] = stat,
	},
	.closed = closed,
	.lobby = true,
};

void mcomponent_accepted(void *ctx, struct net_conn *conn)
{
	struct mcomponent *m = ctx;
	struct peer *peer = peers_accept(&m->peers, conn, sizeof(*peer));

	if (peer)
		peer->m = m;
}
