/*
 * Requests to the memory monitor, edge p2m. Each handler decodes and checks everything, then does what cannot fail.
 *
 * A connection starts as nobody's. P2M_HELLO (dispatcher) with pid, member and capability binds it to a member of a tree,
 * P2M_GUARD (node daemon) to the tree; every other request before that is -EACCES and counted. What a wrong capability and
 * an unknown pid answer is the same, so that nobody learns who is here.
 */
#include <errno.h>
#include "ashlar/base/log.h"
#include "mcomponent/internal.h"

/* One more refusal; t: the tree it concerns, where one is known. */
static int refuse(struct mcomponent *m, struct mtree *t, int err)
{
	if (t)
		t->refused++;
	if (err == -EACCES)
		m->refused++;
	return err;
}

static struct peer *request_peer(const struct rpc_request *rq)
{
	return rpc_ctx(rpc_request_rpc(rq));
}

/* The member of a dispatcher's request, counted; NULL: nobody proved anything on this connection. */
static struct mmember *request_member(struct peer *peer)
{
	if (peer->role != PEER_DISPATCHER || !peer->member) {
		refuse(peer->m, NULL, -EACCES);
		return NULL;
	}
	peer->tree->requests++;
	return peer->member;
}

/* Does this connection prove to be of the kind and to have the capability of the member? */
static int prove(struct peer *peer, enum wire_kind kind, uint32_t pid, uint32_t member, const struct cap *cap,
		 struct mtree **out)
{
	struct mtree *t = mtree_find(peer->m, pid);
	struct cap right = { { 0 } };

	if (t)
		right = cap_of_member(&t->cap, member);
	if (rpc_peer_kind(peer->base.rpc) != kind || !t || !cap_equal(&right, cap)) {
		refuse(peer->m, t, -EACCES);
		return rpc_refused(peer->base.rpc, pid, "without the capability");
	}
	*out = t;
	return 0;
}

/* The member that says hello: there, or to be made, where it has nothing here that a fork could have given it. */
static int hello_member(struct mtree *t, uint32_t number, struct mmember **out)
{
	*out = mmember_find(t, number);
	if (*out)
		return (*out)->dispatcher ? -EBUSY : 0;
	return mmember_ended(t, number) ? -ESRCH : mmember_new(t, number, out);
}

static int hello(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct p2m_hello_req *req = body;
	struct p2m_hello_rep *rep = rep_body;
	struct peer *peer = request_peer(rq);
	struct mmember *b;
	struct mtree *t;
	int err;

	(void)tail;
	(void)tail_bytes;
	err = prove(peer, KIND_DISPATCHER, req->pid, req->member, &req->cap, &t);
	if (err)
		return err;
	err = peer->tree ? -EBUSY : hello_member(t, req->member, &b);
	if (!err)
		err = mmember_bind(b, peer);
	if (err)
		return refuse(peer->m, t, err);
	rpc_trust(peer->base.rpc);
	(void)!rpc_queue_charge(peer->base.rpc, t->pid, t->weight); /* without memory it goes on as nobody's */
	t->requests++;
	rep->quota_bytes = t->account.quota * PAGE_BYTES;
	rep->slab_frames_max = SLAB_FRAMES_MAX;
	return 0;
}

static int guard(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct p2m_guard_req *req = body;
	struct peer *peer = request_peer(rq);
	struct mtree *t;
	int err;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (req->reserved0)
		return -EINVAL;
	err = prove(peer, KIND_PROCESSOR, req->pid, 0, &req->cap, &t);
	if (err)
		return err;
	if (t->guard || peer->tree)
		return refuse(peer->m, t, -EBUSY);
	peer->role = PEER_GUARD;
	peer->tree = t;
	t->guard = peer;
	rpc_trust(peer->base.rpc);
	(void)!rpc_queue_charge(peer->base.rpc, t->pid, t->weight);
	return 0;
}

static int get(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct p2m_slab_get_req *req = body;
	struct p2m_slab_get_rep *rep = rep_body;
	struct peer *peer = request_peer(rq);
	struct mmember *b = request_member(peer);
	struct holding *h;
	int err;

	(void)tail;
	(void)tail_bytes;
	if (!b)
		return -EACCES;
	if (req->frames == 0 || req->frames > SLAB_FRAMES_MAX || req->reserved0)
		return refuse(peer->m, peer->tree, -EINVAL);
	err = mslab_get(b, req->frames, &rep->key, &h);
	if (err)
		return refuse(peer->m, peer->tree, err);
	rep->slab = h->slab->id;
	rep->frames = h->slab->frames;
	return 0;
}

static int seal(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct p2m_slab_seal_req *req = body;
	struct peer *peer = request_peer(rq);
	struct mmember *b = request_member(peer);
	struct holding *h;
	int err;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (!b)
		return -EACCES;
	h = mslab_find(b, req->slab);
	err = h ? mslab_seal(b, h) : -ENOENT;
	return err ? refuse(peer->m, peer->tree, err) : 0;
}

static int put(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct p2m_slab_put_req *req = body;
	struct peer *peer = request_peer(rq);
	struct mmember *b = request_member(peer);
	struct holding *h;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (!b)
		return -EACCES;
	h = mslab_find(b, req->slab);
	if (!h)
		return refuse(peer->m, peer->tree, -ENOENT);
	mslab_put(b, h);
	return 0;
}

static int map(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct p2m_map_req *req = body;
	struct p2m_map_rep *rep = rep_body;
	struct peer *peer = request_peer(rq);
	struct mmember *b = request_member(peer);
	int err;

	if (!b)
		return -EACCES;
	if (req->n == 0 || req->n > MAP_BATCH_MAX || req->reserved0 || tail_bytes != req->n * sizeof(struct map_entry))
		return refuse(peer->m, peer->tree, -EINVAL);
	err = mpagemap_check(b, tail, req->n);
	if (!err)
		err = mpagemap_apply(b, tail, req->n);
	if (err)
		return refuse(peer->m, peer->tree, err);
	rep->mapped_pages = b->mapped;
	return 0;
}

static int stat(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct p2m_stat_req *req = body;
	struct p2m_stat_rep *rep = rep_body;
	struct peer *peer = request_peer(rq);
	struct mmember *b = request_member(peer);

	(void)tail;
	(void)tail_bytes;
	if (!b)
		return -EACCES;
	if (req->reserved0)
		return -EINVAL;
	rep->slabs = b->n_slabs;
	rep->sealed_slabs = b->n_sealed;
	rep->frames = b->frames;
	rep->mapped_pages = b->mapped;
	rep->requests = peer->tree->requests;
	rep->refused = peer->tree->refused;
	return 0;
}

static int fork_member(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct p2m_fork_req *req = body;
	struct p2m_fork_rep *rep = rep_body;
	struct peer *peer = request_peer(rq);
	struct mmember *b = request_member(peer), *child;
	int err;

	(void)tail;
	(void)tail_bytes;
	if (!b)
		return -EACCES;
	if (req->reserved0)
		return refuse(peer->m, peer->tree, -EINVAL);
	if (mmember_find(peer->tree, req->member) || mmember_ended(peer->tree, req->member))
		return refuse(peer->m, peer->tree, -EEXIST);
	err = mmember_fork(b, req->member, &child);
	if (err)
		return refuse(peer->m, peer->tree, err);
	rep->slabs = child->n_slabs;
	return 0;
}

static int slab_key(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct p2m_slab_key_req *req = body;
	struct p2m_slab_key_rep *rep = rep_body;
	struct peer *peer = request_peer(rq);
	struct mmember *b = request_member(peer);
	struct holding *h;
	int err;

	(void)tail;
	(void)tail_bytes;
	if (!b)
		return -EACCES;
	h = mslab_find(b, req->slab);
	err = h ? mslab_key(b, h, &rep->key) : -ENOENT;
	if (err)
		return refuse(peer->m, peer->tree, err);
	rep->frames = h->slab->frames;
	return 0;
}

static int left(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct p2m_left_req *req = body;
	struct peer *peer = request_peer(rq);
	struct mmember *b;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (peer->role != PEER_GUARD || !peer->tree)
		return refuse(peer->m, NULL, -EACCES);
	if (req->reserved0)
		return refuse(peer->m, peer->tree, -EINVAL);
	b = mmember_find(peer->tree, req->member);
	if (b)
		mmember_end(b);
	else if (!mmember_ended(peer->tree, req->member))
		mmember_remember(peer->tree, req->member); /* its fork may still be under way here */
	return 0;
}

void mpeer_forget(struct peer *peer)
{
	peer->tree = NULL;
	peer->member = NULL;
	if (peer->role == PEER_DISPATCHER)
		peer_close(&peer->base);
}

static void closed(struct rpc *rpc, int err)
{
	struct peer *peer = rpc_ctx(rpc);
	struct mmember *b = peer->member;
	struct mtree *t = peer->tree;

	(void)err;
	/* This peer is freed here, so that who ends must not forget it as well. */
	if (b) {
		b->dispatcher = NULL;
		t->n_connected--;
	} else if (t) {
		t->guard = NULL;
	}
	peer_free(&peer->base);
	if (b)
		mmember_end(b);
	/* A guarded tree ends with its guard, another with its last connection. */
	if (t && !t->guard && (!b || !t->n_connected))
		mtree_release(t);
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
		[IDX_P2M_FORK] = fork_member,
		[IDX_P2M_SLAB_KEY] = slab_key,
		[IDX_P2M_LEFT] = left,
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
