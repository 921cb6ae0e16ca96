/*
 * Insides of the relay's server. A client is a session; it owns connections, regions and remotes, and through its
 * connections the datas. Names that a client uses are looked up in the client, so it can name nothing of another's.
 *
 *   serve.c     opening, accepting, ends of clients      serve_conn.c  connections: messages both ways
 *   serve_ask.c the session's questions                  serve_io.c    requests of transfers, their answers
 *   schedule.c  which piece goes next, and to the fabric charge.c      whose turn that is: processes, weights
 *
 * A client that is to end is marked and ended by a timer of the same turn of the loop, so that nobody up the stack finds
 * it gone. All else may go at any time but within schedule.c, which frees nothing but transfers.
 */
#ifndef ASHLAR_NET_RELAY_SERVE_H
#define ASHLAR_NET_RELAY_SERVE_H
#include "ashlar/base/list.h"
#include "ashlar/base/loop.h"
#include "ashlar/relay.h"
#include "net/relay/wire.h"

#define RELAY_ROUND 32u /* datagrams of one socket before others get their turn */
#define RELAY_CLIENTS_MAX 2048u
#define RELAY_CONNS_MAX 64u		    /* of one client */
#define RELAY_DATAS_MAX 16384u		    /* of one client: threads times components */
#define RELAY_REMOTES_MAX 65536u	    /* of one client */
#define RELAY_REGIONS_MAX 8192u		    /* of one client */
#define RELAY_REGION_BYTES_MAX (128u << 20) /* of one client, all regions */
#define RELAY_QUEUE_BYTES_MAX (1u << 20)    /* messages that a client does not take */

struct relay {
	struct loop *loop;
	struct net *node, *rack;
	struct net_listener *listener;
	struct list clients, targets, charges;
	struct loop_timer reap;	 /* clients that are marked */
	struct loop_timer again; /* the fabric was full, and nothing of ours is under way there */
	struct relay_stats stats;
};

/* Numbers of a client's things: index in a table that grows. */
struct ids {
	void **at;
	uint32_t size, used, max;
};

struct rclient {
	struct list link;
	struct relay *r;
	int fd; /* the session */
	int32_t host_pid;
	uint32_t uid, gid;
	bool greeted, over;
	struct list conns, datas;
	uint32_t n_conns, next_conn, n_datas, next_data;
	struct net_pd *pd; /* with the first region */
	struct ids regions, remotes;
	uint64_t region_bytes;
	struct rconn *connecting; /* the ask that waits for its answer */
};

/* Whose turns a connection takes: a process of the rack, or, where none is known, one of this machine (pid 0). */
struct rwho {
	int32_t host_pid; /* 0 with pid */
	uint32_t pid, weight;
};

/* A component of the rack, and one process that reaches it: what takes turns. */
struct rtarget {
	struct list link;
	char addr[ADDR_BYTES];
	struct list flows, ring[NET_CLASSES]; /* ring: flows with something to post, next one first */
	uint32_t under_way, lower_under_way;  /* bytes */
	uint32_t since[NET_CLASSES];	      /* bytes posted of more urgent classes since one of this was */
};
struct rflow {
	struct list link, turn[NET_CLASSES];
	struct rtarget *target;
	struct rwho who;
	uint32_t conns; /* that use it */
	int64_t deficit[NET_CLASSES];
	struct list queue[NET_CLASSES]; /* rio.link: with pieces to be posted */
};

struct rlane {
	struct rconn *conn;
	struct net_data *data; /* NULL: not opened yet */
	enum net_class class;
	struct list flying; /* rio.link: all posted, not all done */
};

struct rmsg {
	struct list link;
	uint32_t len;
	uint8_t bytes[];
};

struct rconn {
	struct list link;
	struct rclient *c;
	uint32_t id;
	int fd; /* message socket */
	struct rflow *flow;
	struct net_connecting *connecting;
	struct net_conn *rack; /* NULL: not yet, or no more (what is queued still goes to the client) */
	struct list queue;     /* to the client */
	uint32_t queue_bytes, events;
	uint8_t *held; /* from the client: the fabric had no room */
	uint32_t held_len;
	struct rlane lane[NET_CLASSES];
};

struct rdata {
	struct list link;
	struct rclient *c;
	struct rconn *conn; /* NULL: gone */
	enum net_class class;
	uint32_t id;
	int fd;
	uint32_t under_way;
	struct list ios; /* rio.mine */
};

struct rregion {
	struct net_mr *mr;
	uint32_t bytes;
	uint32_t users; /* pieces of transfers */
	bool freed;
	struct rclient *c;
};

struct rremote {
	struct net_remote *remote; /* NULL: its connection is gone */
	struct rconn *conn;
	uint64_t bytes;
	uint32_t users;
	bool freed;
};

struct rio {
	struct list link; /* rflow.queue or rlane.flying */
	struct list mine; /* rdata.ios */
	struct rdata *d;  /* NULL: nobody waits for it */
	struct rlane *lane;
	struct rremote *remote;
	uint64_t cookie, off, total, posted;
	uint32_t under_way, pieces; /* bytes, pieces posted and not done */
	int err;
	bool write;
	uint32_t n;
	struct {
		struct rregion *region;
		uint64_t off;
		uint32_t bytes;
	} part[];
};

/* serve.c */
uint32_t ids_add(struct ids *, void *); /* RELAY_ID_NONE: full, or no memory */
void *ids_get(const struct ids *, uint32_t id);
void ids_del(struct ids *, uint32_t id);
/* Mark the client; words: what it did (logged), NULL: it went by itself. */
void rclient_end(struct rclient *, const char *words);

/* serve_ask.c */
void rclient_event(void *arg, uint32_t events);
void rclient_answer(struct rclient *, uint32_t op, int err, uint32_t id, const struct net_key *, int fd);
void rregion_put(struct rregion *);
void rremote_put(struct rremote *);

/* serve_conn.c */
int rconn_begin(struct rclient *, const char *addr, uint32_t ms); /* the answer comes later; -errno: none will */
struct rconn *rconn_find(struct rclient *, uint32_t id);
void rconn_free(struct rconn *);

/* serve_io.c */
int rdata_open(struct rconn *, enum net_class, uint32_t *id, int *client_fd);
void rdata_free(struct rdata *);
struct rdata *rdata_find(struct rclient *, uint32_t id);
void rdata_stop(struct rdata *); /* what is under way touches no memory after this */
void rio_done(struct rio *);	 /* answer with io->err, and free */

/* charge.c */
struct rwho charge_who(const struct relay *, int32_t host_pid);
void charges_end(struct relay *);

/* schedule.c */
struct rflow *rflow_get(struct relay *, const char *addr, const struct rwho *);
void rflow_put(struct rflow *);
void rio_queue(struct rio *);
void schedule(struct relay *, struct rtarget *);
void rlane_ready(void *arg); /* struct rlane: completions are there */
void rlane_init(struct rlane *, struct rconn *, enum net_class);
int rlane_open(struct rlane *);		 /* harmless when it is open */
void rlane_end(struct rlane *, int err); /* everything on it ends with err; nothing touches memory after this */
/* What `stopped` has on the lane is dropped, and touches no memory after this; all else starts anew. */
void rlane_restart(struct rlane *, const struct rdata *stopped);

#endif
