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

/* ---- what members ask for ---- */

struct asked {
	struct peer *peer;
	struct mmember *by;
	const void *body, *tail;
	uint32_t tail_bytes;
	void *rep;
};

static int get(const struct asked *a)
{
	const struct p2m_slab_get_req *req = a->body;
	struct p2m_slab_get_rep *rep = a->rep;
	struct holding *h;
	int err;

	if (req->frames == 0 || req->frames > SLAB_FRAMES_MAX || req->reserved0)
		return -EINVAL;
	err = mslab_get(a->by, req->frames, &rep->key, &h);
	if (err)
		return err;
	rep->slab = h->slab->id;
	rep->frames = h->slab->frames;
	return 0;
}

static int seal(const struct asked *a)
{
	const struct p2m_slab_seal_req *req = a->body;
	struct holding *h = mslab_find(a->by, req->slab);

	return h ? mslab_seal(a->by, h) : -ENOENT;
}

static int put(const struct asked *a)
{
	const struct p2m_slab_put_req *req = a->body;
	struct holding *h = mslab_find(a->by, req->slab);

	if (!h)
		return -ENOENT;
	mslab_put(a->by, h);
	return 0;
}

static int map(const struct asked *a)
{
	const struct p2m_map_req *req = a->body;
	struct p2m_map_rep *rep = a->rep;
	int err;

	if (req->n == 0 || req->n > MAP_BATCH_MAX || req->reserved0 ||
	    a->tail_bytes != req->n * sizeof(struct map_entry))
		return -EINVAL;
	err = mpagemap_check(a->by, a->tail, req->n);
	if (!err)
		err = mpagemap_apply(a->by, a->tail, req->n);
	if (err)
		return err;
	rep->mapped_pages = a->by->mapped;
	return 0;
}

static int stat(const struct asked *a)
{
	const struct p2m_stat_req *req = a->body;
	struct p2m_stat_rep *rep = a->rep;

	if (req->reserved0)
		return -EINVAL;
	rep->slabs = a->by->n_slabs;
	rep->sealed_slabs = a->by->n_sealed;
	rep->frames = a->by->frames;
	rep->mapped_pages = a->by->mapped;
	rep->requests = a->peer->tree->requests;
	rep->refused = a->peer->tree->refused;
	return 0;
}

static int fork_member(const struct asked *a)
{
	const struct p2m_fork_req *req = a->body;
	struct p2m_fork_rep *rep = a->rep;
	struct mtree *t = a->peer->tree;
	struct mmember *child;
	int err;

	if (req->reserved0)
		return -EINVAL;
	if (mmember_find(t, req->member) || mmember_ended(t, req->member))
		return -EEXIST;
	err = mmember_fork(a->by, req->member, &child);
	if (err)
		return err;
	rep->slabs = child->n_slabs;
	return 0;
}

static int slab_key(const struct asked *a)
{
	const struct p2m_slab_key_req *req = a->body;
	struct p2m_slab_key_rep *rep = a->rep;
	struct holding *h = mslab_find(a->by, req->slab);
	int err = h ? mslab_key(a->by, h, &rep->key) : -ENOENT;

	if (err)
		return err;
	rep->frames = h->slab->frames;
	return 0;
}

static int (*const by_member[])(const struct asked *) = {
	[IDX_P2M_SLAB_GET] = get, [IDX_P2M_SLAB_SEAL] = seal,	[IDX_P2M_SLAB_PUT] = put,      [IDX_P2M_MAP] = map,
	[IDX_P2M_STAT] = stat,	  [IDX_P2M_FORK] = fork_member, [IDX_P2M_SLAB_KEY] = slab_key,
};

/* From a dispatcher that proved which member it is; what is refused is counted. */
static int member_asks(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	struct peer *peer = request_peer(rq);
	struct asked a = { peer, peer->member, body, tail, tail_bytes, rep };
	int err;

	if (peer->role != PEER_DISPATCHER || !peer->member)
		return refuse(peer->m, NULL, -EACCES);
	peer->tree->requests++;
	err = by_member[rpc_request_index(rq)](&a);
	return err ? refuse(peer->m, peer->tree, err) : 0;
}

/* ---- the guard ---- */

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
		[IDX_P2M_SLAB_GET] = member_asks,
		[IDX_P2M_SLAB_SEAL] = member_asks,
		[IDX_P2M_SLAB_PUT] = member_asks,
		[IDX_P2M_MAP] = member_asks,
		[IDX_P2M_STAT] = member_asks,
		[IDX_P2M_FORK] = member_asks,
		[IDX_P2M_SLAB_KEY] = member_asks,
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
