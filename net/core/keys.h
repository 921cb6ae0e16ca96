/*
 * Keys that arrived on a connection in frames of their own, ahead of the messages that name them (providers ofi and
 * verbs). A key is a random name; what it stands for is struct net_key_body.
 */
#ifndef ASHLAR_NET_CORE_KEYS_H
#define ASHLAR_NET_CORE_KEYS_H
#include "ashlar/base/list.h"
#include "net/core/provider.h"

#define NET_KEYS_MAX (2 * RPC_CREDITS) /* keys of one connection that wait to be taken up */

struct net_key_body {
	uint64_t id[2];	   /* name of the key */
	uint64_t token[2]; /* lets lanes into the region's protection domain */
	uint64_t read_key, write_key;
	uint64_t addr;	 /* of the region's first byte, as transfers must name it */
	uint64_t bytes;	 /* of the region */
	uint64_t access; /* enum net_access */
};
struct net_closed_body {
	uint64_t id[2];
	uint64_t access; /* what the key lost */
};

/* A key that has arrived: the connection holds one reference while it may hear of its end, the remote another. */
struct net_grant {
	struct list link;
	int refs;	 /* atomic */
	unsigned access; /* atomic: what is left of it */
	bool taken;
	struct net_key_body k;
};

/* Those of one connection, oldest first. */
struct net_keys {
	struct list list;
	struct net_stats *stats; /* failures are counted here */
	unsigned n, waiting, prune_at;
};

void net_keys_init(struct net_keys *, struct net_stats *);
/* false: a breach of the protocol. */
bool net_keys_add(struct net_keys *, const struct net_key_body *);
bool net_keys_closed(struct net_keys *, const struct net_closed_body *);
int net_keys_take(struct net_keys *, const struct net_key *, uint64_t bytes, struct net_grant **out);
void net_keys_drop(struct net_keys *);

static inline void net_grant_get(struct net_grant *g)
{
	__atomic_fetch_add(&g->refs, 1, __ATOMIC_RELAXED);
}
void net_grant_put(struct net_grant *);
static inline bool net_grant_allows(const struct net_grant *g, bool write)
{
	return __atomic_load_n(&g->access, __ATOMIC_ACQUIRE) & (write ? NET_WRITE : NET_READ);
}

#endif
