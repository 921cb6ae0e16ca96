/*
 * Peers: the connections that others made to a monitor's listener, the same way in each. A monitor's own struct for a peer
 * begins with struct peer_base; it lives from peers_accept until peer_free (called in the service's closed()) or
 * peer_close. The rpc's ctx is that struct.
 */
#ifndef COMPONENT_PEERS_H
#define COMPONENT_PEERS_H
#include <stddef.h>
#include "ashlar/base/list.h"
#include "ashlar/rpc.h"

struct peers {
	struct loop *loop;
	enum wire_kind kind; /* ours */
	const struct rpc_service *service;
	struct rpc_counters *counters;
	struct rpc_queue *queue; /* what waits, of all of them */
	struct list all;	 /* struct peer_base */
	uint32_t n;
};

struct peer_base {
	struct list link;
	struct peers *peers;
	struct rpc *rpc;
};

/* All but counters and service, which live as long, is its own. 0 or -ENOMEM. */
int peers_open(struct peers *, struct loop *, enum wire_kind kind, const struct rpc_service *, struct rpc_counters *);
void peers_close(struct peers *); /* closes all that are left */

/*
 * Take over a connection: a zeroed struct of `bytes` that begins with the base, which is filled in. NULL, after closing
 * conn: CONNECTIONS_MAX are open, or there is no memory.
 */
void *peers_accept(struct peers *, struct net_conn *conn, size_t bytes);
void peer_free(struct peer_base *);
void peer_close(struct peer_base *); /* frees it first, then closes its rpc */

#endif
