/*
 * One-sided transfers of a net_data that are under way, by keys that were taken up (providers ofi and verbs). A provider
 * embeds struct net_xfer as the first member of its own, gives a fixed number of them to the net_data, and ends each.
 *
 * Threads: a remote may be used by many threads, each with a net_data of its own; of what they share, the key's rights and
 * the connection's life are atomic, the rest does not change.
 */
#ifndef ASHLAR_NET_CORE_XFER_H
#define ASHLAR_NET_CORE_XFER_H
#include "net/core/keys.h"
#include "net/core/life.h"

/* A remote: a key taken up. */
struct net_keyed {
	struct net_remote base;
	struct net_life *life; /* of the connection that it came on */
	struct net_grant *grant;
};
/* As net_remote_open: 0, -EACCES, -ERANGE, -ENOMEM. */
int net_keyed_open(struct net_keys *, struct net_life *, const struct net_key *, uint64_t bytes,
		   struct net_remote **out);
void net_keyed_close(struct net_remote *);

struct net_xfer {
	struct list link;
	struct net_grant *grant;
	uint64_t off, cookie;
	unsigned n; /* pieces */
	bool write;
	int err;
};
struct net_xfers {
	struct net_life *life; /* of the net_data's connection; a reference */
	struct list free, done;
	unsigned pending; /* begun, not done */
};

void net_xfers_init(struct net_xfers *, struct net_life *);
/* May a transfer with that remote begin? 0: xfers->free has one; -EINVAL: of another connection, -EAGAIN, -EPIPE. */
int net_xfers_room(const struct net_xfers *, const struct net_keyed *);
void net_xfer_begin(struct net_xfers *, struct net_xfer *, const struct net_keyed *, uint64_t off, unsigned n,
		    uint64_t cookie, bool write);
void net_xfer_done(struct net_xfers *, struct net_xfer *, int err);	/* it is in no list */
int net_xfers_take(struct net_xfers *, struct net_completion *, int n); /* those done: how many */

#endif
