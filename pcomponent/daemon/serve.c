/*
 * Requests to the node daemon, edge d2p. A command announces a process: its connection is the process's life line. The
 * process's dispatcher then says hello, and is answered once its memory components stand by.
 */
#include <errno.h>
#include "ashlar/base/log.h"
#include "pcomponent/daemon/internal.h"
#include "pcomponent/daemon/start.h"

/* Is the peer of this kind, has it the capability of process pid, and is it the user's for whom that was given? */
static int prove(struct dpeer *peer, enum wire_kind kind, uint32_t pid, const struct cap *cap, struct dprocess **out)
{
	struct dprocess *p = dprocess_find(peer->d, pid);
	struct net_peer who;

	net_conn_peer(rpc_conn(peer->base.rpc), &who);
	if (rpc_peer_kind(peer->base.rpc) != kind || !p || !cap_equal(&p->cap, cap) ||
	    (who.known && who.uid != p->uid && who.uid != 0))
		return rpc_refused(peer->base.rpc, pid, "without the capability");
	*out = p;
	return peer->process ? -EBUSY : 0;
}

static int announce(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep_body)
{
	const struct d2p_announce_req *req = body;
	struct d2p_announce_rep *rep = rep_body;
	struct dpeer *peer = rpc_ctx(rpc_request_rpc(rq));
	struct dprocess *p;
	int err;

	(void)tail;
	(void)tail_bytes;
	if (req->reserved0)
		return -EINVAL;
	err = prove(peer, KIND_COMMAND, req->pid, &req->cap, &p);
	if (err)
		return err;
	if (p->command)
		return -EBUSY;
	p->command = peer;
	peer->process = p;
	rpc_trust(peer->base.rpc);
	(void)!rpc_queue_charge(peer->base.rpc, p->pid, p->weight); /* without memory it goes on as nobody's */
	loop_timer_del(p->d->loop, &p->announce);
	rep->excache_bytes = p->promised_bytes ? p->promised_bytes : p->d->excache_bytes;
	return 0;
}

void dprocess_admit_dispatcher(struct dprocess *p)
{
	if (p->guard_err) {
		dprocess_answer(p, p->guard_err);
		guards_end(p); /* the dispatcher says why it ends, and ends: its pidfd tells */
		return;
	}
	p->guarded = true;
	p->budget.waits_since_ns = loop_now(p->d->loop);
	budgets_look(p->d, 0);
}

/* Each process that uses the fabric itself costs every component queue pairs: there is a bound, and then the relay. */
static bool goes_direct(struct dprocess *p)
{
	struct daemon *d = p->d;

	if (!d->relay)
		return true;
	if (!p->direct && d->n_direct < d->direct_max) {
		p->direct = true;
		d->n_direct++;
	}
	return p->direct;
}

void dprocess_answer(struct dprocess *p, int err)
{
	struct rpc_request *rq = p->hello;
	struct d2p_hello_rep rep = { .excache_bytes = p->budget.granted, .n_memory = p->n_memory };

	p->hello = NULL;
	if (!err) {
		rep.relayed = !goes_direct(p);
		err = rpc_reply_tail(rq, p->parts, (p->n_memory + 1) * (uint32_t)sizeof(p->parts[0]));
	}
	rpc_reply_later(rq, err, &rep);
	if (!err && p->d->component)
		component_beat(p->d->component);
}

/* It was told that there is no local memory yet. */
static int hello_again(struct dprocess *p, struct rpc_request *rq)
{
	p->hello = rq;
	p->budget.waits_since_ns = loop_now(p->d->loop);
	budgets_look(p->d, 0);
	return RPC_LATER;
}

static int hello(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct d2p_hello_req *req = body;
	struct dpeer *peer = rpc_ctx(rpc_request_rpc(rq));
	struct net_peer who;
	struct dprocess *p = NULL;
	int err;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (req->member)
		return -EINVAL;
	err = prove(peer, KIND_DISPATCHER, req->pid, &req->cap, &p);
	if (err == -EBUSY && p && p->dispatcher == peer && p->guarded && !p->hello && !p->budget.granted)
		return hello_again(p, rq);
	if (err)
		return err;
	if (!p->command)
		return -EACCES; /* a process without a life line does not start */
	if (p->dispatcher)
		return -EBUSY;
	net_conn_peer(rpc_conn(peer->base.rpc), &who);
	err = who.known ? dprocess_watch(p, who.host_pid) : -EOPNOTSUPP;
	if (err)
		return err;
	p->dispatcher = peer;
	peer->process = p;
	rpc_trust(peer->base.rpc);
	(void)!rpc_queue_charge(peer->base.rpc, p->pid, p->weight);
	p->hello = rq;
	err = guards_begin(p);
	if (err) {
		p->hello = NULL;
		return err;
	}
	return RPC_LATER;
}

static int report(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct d2p_report_req *req = body;
	struct dpeer *peer = rpc_ctx(rpc_request_rpc(rq));

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (req->registered > 1 || req->reserved0)
		return -EINVAL;
	if (!peer->process || peer->process->dispatcher != peer || !peer->process->budget.granted)
		return -EACCES;
	budget_reported(peer->process, req);
	return 0;
}

static void closed(struct rpc *rpc, int err)
{
	struct dpeer *peer = rpc_ctx(rpc);
	struct dprocess *p = peer->process;
	const char *why = NULL;

	(void)err;
	if (p && p->command == peer) {
		p->command = NULL;
		why = "its command is gone";
	} else if (p) {
		p->dispatcher = NULL;
		why = "its dispatcher hung up";
	}
	if (peer->start)
		start_hang_up(peer->start);
	peer_free(&peer->base);
	if (p)
		dprocess_end(p, why, true);
}

const struct rpc_service daemon_service = {
	.handler = {
		[IDX_D2P_ANNOUNCE] = announce,
		[IDX_D2P_HELLO] = hello,
		[IDX_D2P_REPORT] = report,
		[IDX_D2P_ARGS] = start_args,
		[IDX_D2P_START] = start_begin,
		[IDX_D2P_READ] = start_read,
		[IDX_D2P_WRITE] = start_write,
		[IDX_D2P_SIGNAL] = start_signal,
		[IDX_D2P_WAIT] = start_wait,
		[IDX_D2P_STATS] = start_stats,
	},
	.closed = closed,
	.lobby = true,
};

void daemon_accepted(void *ctx, struct net_conn *conn)
{
	struct daemon *d = ctx;
	struct dpeer *peer = peers_accept(&d->peers, conn, sizeof(*peer));

	if (peer)
		peer->d = d;
}
