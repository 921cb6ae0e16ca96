/* X2G_SIGNAL: a signal to a process of the rack, by way of its node daemon. Who may: its user, and root. */
#include <errno.h>
#include <signal.h>
#include "gmm/internal.h"

#define SIGNAL_MS 2000u

void gpeer_user(const struct gpeer *peer, uint32_t *uid, uint32_t *gid)
{
	struct net_peer who;

	net_conn_peer(rpc_conn(peer->rpc), &who);
	if (!who.known)
		return;
	*uid = who.uid;
	*gid = who.gid;
}

static void sent(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes)
{
	(void)rep;
	(void)tail;
	(void)tail_bytes;
	rpc_reply_later(arg, err == -ETIMEDOUT || err == -EPIPE ? -EHOSTDOWN : err, NULL);
}

int signal_begin(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep)
{
	const struct x2g_signal_req *req = body;
	struct gpeer *peer = rpc_ctx(rpc_request_rpc(rq));
	struct g2x_signal_req there = { .pid = req->pid, .signal = req->signal };
	uint32_t uid = req->uid, gid = 0;
	struct gprocess *p;
	struct member *m;
	int err;

	(void)tail;
	(void)tail_bytes;
	(void)rep;
	if (rpc_peer_kind(peer->rpc) != KIND_COMMAND)
		return -EPERM;
	if (req->reserved0 || req->signal < 0 || req->signal > SIGRTMAX)
		return -EINVAL;
	p = gprocess_by_pid(peer->g, req->pid);
	if (!p || p->over)
		return -ESRCH;
	gpeer_user(peer, &uid, &gid);
	if (uid != 0 && uid != p->uid)
		return -EPERM;
	if (p->run)
		return -EAGAIN; /* it is being placed */
	m = member_find(peer->g, p->part[PART_PROCESSOR].member_id);
	if (!m || !m->peer)
		return -EHOSTDOWN;
	err = rpc_call(m->peer->rpc, G2X_SIGNAL, p->pid, &there, NULL, 0, SIGNAL_MS, sent, rq);
	return err ? -EHOSTDOWN : RPC_LATER;
}
