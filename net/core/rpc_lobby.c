/*
 * The lobby of a monitor: connections whose peers have proved nothing yet. It is bounded, and a newcomer pushes out the
 * one that waited longest: who proves himself at once is in it for two messages, who does not is the first to go.
 */
#include <errno.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "net/core/rpc_impl.h"

static void push_out(struct rpc *r)
{
	struct rpc_counters *c = r->counters;
	struct net_peer peer;

	net_conn_peer(r->conn, &peer);
	log_warn("too many connections have proved nothing: that of process %d of user %u is closed", peer.host_pid,
		 peer.uid);
	c->lobby.pushed_out++;
	rpc_lobby_leave(r);
	rpc_doom(r, -EUSERS);
}

void rpc_lobby_enter(struct rpc *r)
{
	struct rpc_lobby *l = &r->counters->lobby;

	if (!l->waiting.next)
		list_init(&l->waiting);
	if (l->n == RPC_LOBBY_MAX)
		push_out(container_of(l->waiting.next, struct rpc, lobby));
	list_add_tail(&l->waiting, &r->lobby);
	l->n++;
	r->in_lobby = true;
}

void rpc_lobby_leave(struct rpc *r)
{
	if (!r->in_lobby)
		return;
	list_del(&r->lobby);
	r->counters->lobby.n--;
	r->in_lobby = false;
}

void rpc_trust(struct rpc *r)
{
	rpc_lobby_leave(r);
}

int rpc_refused(struct rpc *r, uint32_t pid, const char *what)
{
	struct net_peer peer;

	r->counters->refused++;
	net_conn_peer(r->conn, &peer);
	log_warn("refused: %s (process %d of user %u) %s of process %u", kind_name(r->peer_kind), peer.host_pid,
		 peer.uid, what, pid);
	if (++r->refusals == RPC_REFUSALS_MAX)
		rpc_doom(r, -EACCES);
	return -EACCES;
}
