/* Peers of a monitor; see peers.h. */
#include <errno.h>
#include <stdlib.h>
#include "ashlar/base/log.h"
#include "component/peers.h"

int peers_open(struct peers *p, struct loop *loop, enum wire_kind kind, const struct rpc_service *service,
	       struct rpc_counters *counters)
{
	p->loop = loop;
	p->kind = kind;
	p->service = service;
	p->counters = counters;
	p->n = 0;
	list_init(&p->all);
	return rpc_queue_open(loop, &p->queue);
}

void peers_close(struct peers *p)
{
	while (!list_empty(&p->all))
		peer_close(container_of(p->all.next, struct peer_base, link));
	rpc_queue_close(p->queue);
}

void *peers_accept(struct peers *p, struct net_conn *conn, size_t bytes)
{
	struct peer_base *peer = p->n < CONNECTIONS_MAX ? calloc(1, bytes) : NULL;

	if (!peer) {
		log_warn("a connection is refused: %u are open", p->n);
		net_conn_close(conn);
		return NULL;
	}
	if (rpc_open(p->loop, conn, p->kind, p->service, peer, p->counters, &peer->rpc)) {
		free(peer);
		return NULL;
	}
	if (rpc_queue_join(peer->rpc, p->queue)) {
		rpc_close(peer->rpc);
		free(peer);
		return NULL;
	}
	peer->peers = p;
	list_add_tail(&p->all, &peer->link);
	p->n++;
	return peer;
}

void peer_free(struct peer_base *peer)
{
	list_del(&peer->link);
	peer->peers->n--;
	free(peer);
}

void peer_close(struct peer_base *peer)
{
	struct rpc *rpc = peer->rpc;

	peer_free(peer);
	rpc_close(rpc);
}
