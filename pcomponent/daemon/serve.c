/*
 * Requests to the node daemon, edge d2p. A command announces a tree of processes: its connection is the tree's life line.
 * The first process's dispatcher then says hello, and is answered once the memory components stand by; those of the others
 * are answered at once.
 */
#include <errno.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "pcomponent/daemon/internal.h"
#include "pcomponent/daemon/start.h"

/* A process that was forked when its tree was ended. */
static bool came_late(const struct daemon *d, const struct d2p_hello_req *req)
{
	for (uint32_t i = 0; i < OVER_MAX && i < d->n_over; i++) {
		struct cap right = d->over[i].cap;

		if (d->over[i].pid != req->pid)
			continue;
		right = cap_of_member(&right, req->member);
		if (cap_equal(&right, &req->cap))
			return true;
	}
	return false;
}

/*
 * Is the peer of this kind, has it the capability of that member of tree pid, and is it the user's for whom that was given?
 * Members of a tree of root's may have become somebody else.
 */
static int prove(struct dpeer *peer, enum wire_kind kind, uint32_t pid, uint32_t member, const struct cap *cap,
		 struct dprocess **out)
{
	struct dprocess *p = dprocess_find(peer->d, pid);
	struct cap right;
	struct net_peer who;

	net_conn_peer(rpc_conn(peer->base.rpc), &who);
	if (p)
		right = cap_of_member(&p->cap, member);
	if (rpc_peer_kind(peer->base.rpc) != kind || !p || !cap_equal(&right, cap) ||
	    (who.known && who.uid != p->uid && who.uid != 0 && (!member || p->uid != 0)))
		return rpc_refused(peer->base.rpc, pid, "without the capability");
	*out = p;
	return peer->process || peer->member ? -EBUSY : 0;
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
	err = prove(peer, KIND_COMMAND, req->pid, 0, &req->cap, &p);
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
	struct dmember *m = p->first;

	if (!m || !m->hello)
		return;
	if (p->guard_err) {
		dmember_answer(m, p->guard_err);
		guards_end(p); /* the dispatcher says why it ends, and ends: its pidfd tells */
		return;
	}
	p->guarded = true;
	m->budget.waits_since_ns = loop_now(p->d->loop);
	budgets_look(p->d, 0);
}

void dmember_answer(struct dmember *m, int err)
{
	const struct dprocess *p = m->tree;
	struct rpc_request *rq = m->hello;
	struct d2p_hello_rep rep = { .excache_bytes = m->budget.granted };
	struct placement_part parts[PROCESS_MEMORY_MAX + 1];

	m->hello = NULL;
	if (!err && !m->id) { /* the others were told when they were named */
		memcpy(parts, p->parts, (p->n_memory + 1) * sizeof(parts[0]));
		for (uint32_t i = 0; i <= p->n_memory; i++)
			parts[i].cap = cap_of_member(&p->parts[i].cap, m->id);
		rep.n_memory = p->n_memory;
		rep.relayed = !dmember_direct(m, &m->direct);
		err = rpc_reply_tail(rq, parts, (p->n_memory + 1) * (uint32_t)sizeof(parts[0]));
	}
	rpc_reply_later(rq, err, &rep);
	if (!err && !m->id && p->d->component)
		component_beat(p->d->component);
}

/* It was told that there is no local memory yet. */
static int hello_again(struct dmember *m, struct rpc_request *rq)
{
	m->hello = rq;
	m->budget.waits_since_ns = loop_now(m->tree->d->loop);
	budgets_look(m->tree->d, 0);
	return RPC_LATER;
}

/* Nobody but the process that was named may come under the name: that of the parent, where it becomes another program. */
static int come(struct dmember *m, struct dpeer *peer)
{
	struct net_peer who;
	int err;

	if (!m->tree->command)
		return -EACCES; /* a process without a life line does not start */
	net_conn_peer(rpc_conn(peer->base.rpc), &who);
	if (!who.known)
		return -EOPNOTSUPP;
	if (m->exec_id && who.host_pid != m->host_pid)
		return rpc_refused(peer->base.rpc, m->tree->pid,
				   "as another process than that which becomes a new program");
	if (!m->exec_id && m->host_fd >= 0)
		return -EBUSY;
	err = m->exec_id ? 0 : dmember_watch(m, who.host_pid);
	if (err)
		return err;
	if (!m->exec_id && net_conn_dead(rpc_conn(peer->base.rpc))) {
		dmember_unwatch(m); /* it has ended since, and its number may be somebody else's by now */
		return -ESRCH;
	}
	dmember_exec(m);
	loop_timer_del(m->tree->d->loop, &m->due);
	m->parent = NULL;
	m->dispatcher = peer;
	peer->member = m;
	rpc_trust(peer->base.rpc);
	(void)!rpc_queue_charge(peer->base.rpc, m->tree->pid, m->tree->weight);
	return 0;
}

static int hello(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct d2p_hello_req *req = body;
	struct dpeer *peer = rpc_ctx(rpc_request_rpc(rq));
	struct dprocess *p = NULL;
	struct dmember *m;
	int err;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (!dprocess_find(peer->d, req->pid) && came_late(peer->d, req))
		return -ESRCH;
	err = prove(peer, KIND_DISPATCHER, req->pid, req->member, &req->cap, &p);
	if (err == -EBUSY && p && peer->member && peer->member == p->first && p->guarded && !p->first->hello &&
	    !p->first->budget.granted)
		return hello_again(p->first, rq);
	if (err)
		return err;
	m = dmember_find(p, req->member);
	if (!m)
		return -ESRCH; /* it is over, or was given up */
	if (m->exec_id && m->exec_id != req->member)
		return -EBUSY;
	err = come(m, peer);
	if (err == -ESRCH)
		dmember_end(m, "ended as it came");
	if (err)
		return err;
	m->hello = rq;
	if (p->begun) {
		dmember_answer(m, 0);
		return RPC_LATER;
	}
	p->begun = true;
	err = guards_begin(p);
	if (err) {
		m->hello = NULL;
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
	if (!peer->member || !peer->member->budget.granted)
		return -EACCES;
	budget_reported(peer->member, req);
	return 0;
}

static void closed(struct rpc *rpc, int err)
{
	struct dpeer *peer = rpc_ctx(rpc);
	struct dprocess *p = peer->process;
	struct dmember *m = peer->member;

	(void)err;
	if (p)
		p->command = NULL;
	if (peer->start)
		start_hang_up(peer->start);
	peer_free(&peer->base);
	if (p)
		dprocess_end(p, "its command is gone", true);
	else if (m)
		dmember_hung_up(m);
}

const struct rpc_service daemon_service = {
	.handler = {
		[IDX_D2P_ANNOUNCE] = announce,
		[IDX_D2P_HELLO] = hello,
		[IDX_D2P_REPORT] = report,
		[IDX_D2P_FORK] = fork_begin,
		[IDX_D2P_UNFORK] = fork_undo,
		[IDX_D2P_ARGS] = start_args,
		[IDX_D2P_START] = start_begin,
		[IDX_D2P_READ] = start_read,
		[IDX_D2P_WRITE] = start_write,
		[IDX_D2P_SIGNAL] = start_signal,
		[IDX_D2P_WAIT] = start_wait,
		[IDX_D2P_TREE] = start_tree,
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
