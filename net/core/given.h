/*
 * Keys given away, owner's side (providers ofi and verbs), the other side of keys.h. A key tells its peer how to reach a
 * region; the tie between connection and protection domain is what lets his lanes in.
 */
#ifndef ASHLAR_NET_CORE_GIVEN_H
#define ASHLAR_NET_CORE_GIVEN_H
#include "net/core/keys.h"

struct net_given {
	struct list of_mr, of_conn;
	struct net_conn *conn;
	uint64_t id[2];
	unsigned access; /* not closed yet */
};

/* The key that was sent to conn is given; *key is what goes into the message. */
void net_given_add(struct net_given *, struct list *of_mr, struct list *of_conn, struct net_conn *,
		   const struct net_key_body *, struct net_key *key);
/* A region loses this access: tell all who have it. */
void net_given_close(struct list *of_mr, unsigned access,
		     void (*tell)(struct net_conn *, const struct net_closed_body *));
void net_given_drop(struct list *of_conn); /* the connection ends */

/* A connection and a protection domain that it has keys of. */
struct net_tie {
	struct list of_net, of_conn, of_pd;
	struct net_conn *conn;
	struct net_pd *pd;
	uint64_t token[2];
	struct list ends; /* lanes that came; the provider's */
	unsigned n_ends;
};

/*
 * That of conn and pd, made if there is none; NULL: no memory. of_net: where who comes with a token looks for it; NULL:
 * nobody comes.
 */
struct net_tie *net_tie_get(struct list *of_conn, struct list *of_pd, struct list *of_net, struct net_conn *,
			    struct net_pd *);
struct net_tie *net_tie_find(const struct list *of_net, const uint64_t token[2]);
void net_tie_free(struct net_tie *); /* its ends are closed */

#endif
