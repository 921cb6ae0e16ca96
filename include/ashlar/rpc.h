/*
 * RPC over net: fixed-layout requests and replies of the lists in proto/, on one net_conn, both ends alike (the gmm
 * sends requests over the connection by which a component joined).
 *
 * Rules (docs/protocol.md):
 *  - Each side's first message is MSG_HELLO; a peer with another version or list hash is refused in words and closed.
 *  - A request has an id that rises by one. It is sent again with the same id while no reply comes (RPC_RETRY_MS), until
 *    its deadline. The receiver applies it at most once: of the last RPC_CREDITS ids it keeps the reply and sends that
 *    again; older ids are dropped and counted.
 *  - A peer may have RPC_CREDITS requests outstanding; one more is a breach of protocol: counted, connection closed.
 *  - A peer says hello within RPC_HELLO_MS, or is closed. Until it has proved who it is its connection waits in the
 *    monitor's lobby, which is bounded.
 *  - Anything malformed (magic, version, unknown id, sizes, flags, reserved bits of the header) is counted, named in the
 *    log once per connection, and answered by closing the connection.
 * Nothing here blocks but rpc_call_sync and rpc_connect_sync. Not thread-safe; a synchronous rpc is shared under the
 * caller's lock.
 */
#ifndef ASHLAR_RPC_H
#define ASHLAR_RPC_H
#include "ashlar/base/list.h"
#include "ashlar/base/log.h"
#include "ashlar/net.h"
#include "ashlar/proto/lists.h"

struct loop;
struct rpc;
struct rpc_request;
struct rpc_queue;

/*
 * Handler of a request. body has exactly the list's size, tail_bytes is within the list's maximum. rep is zeroed, of the
 * list's size. Return 0 or -errno to reply now (rep is sent only with 0), or RPC_LATER after keeping rq for
 * rpc_reply_later. A handler decodes and checks all, then does what cannot fail.
 */
#define RPC_LATER 1
typedef int rpc_handler_fn(struct rpc_request *rq, const void *body, const void *tail, uint32_t tail_bytes, void *rep);

/* Who serves what: handlers by enum msg_index; NULL entries are refused as unknown. One table per kind of peer. */
struct rpc_service {
	rpc_handler_fn *handler[MSG_COUNT];
	/* The connection ended or was closed for a breach; rpc is freed after this returns. Called once. */
	void (*closed)(struct rpc *, int err);
	/* Peers come to us and have to prove who they are: they wait in the lobby until rpc_trust. */
	bool lobby;
	/* The peer's hello came and fits: its kind is known from here on. May be NULL. 0, or -errno to refuse it. */
	int (*hello)(struct rpc *);
};

/*
 * Connections of one monitor whose peers have proved nothing yet wait in its lobby, RPC_LOBBY_MAX at most: where it is
 * full the one that waited longest is closed. So no number of idle connections keeps out a peer that says at once who it
 * is. rpc_trust takes a connection out.
 */
struct rpc_lobby {
	struct list waiting; /* struct rpc, oldest first */
	uint32_t n;
	uint64_t pushed_out;
};

struct rpc_counters {
	uint64_t requests[MSG_COUNT]; /* applied */
	uint64_t duplicates, malformed, refused, retries, timeouts;
	struct rpc_lobby lobby;
};

/*
 * With a loop: take over conn (rpc_close closes it) and serve. kind: what we are. counters: shared by many connections,
 * owned by the caller. -errno: conn is closed.
 */
int rpc_open(struct loop *, struct net_conn *, enum wire_kind kind, const struct rpc_service *, void *ctx,
	     struct rpc_counters *counters, struct rpc **out);
void rpc_close(struct rpc *); /* outstanding calls end with -ECANCELED; closed() is not called; safe inside handlers */

void *rpc_ctx(const struct rpc *); /* the ctx of rpc_open, or what rpc_set_ctx put there */
void rpc_set_ctx(struct rpc *, void *ctx);
struct net_conn *rpc_conn(const struct rpc *);
enum wire_kind rpc_peer_kind(const struct rpc *);

/* The peer has proved who it is (its capability was right, it joined): the connection leaves the lobby. */
void rpc_trust(struct rpc *);
/*
 * The peer claimed what it could not prove, in words `what`: counted, named in the log (rate limited), and after
 * RPC_REFUSALS_MAX times on one connection the end of it. Returns -EACCES, for the handler to answer.
 */
int rpc_refused(struct rpc *, uint32_t pid, const char *what);

/*
 * Requests that wait, of all connections of a monitor. Whoever comes while nothing waits is served at once; what comes in the
 * same turn of the loop behind that waits until all connections have been read, and then the most urgent class goes
 * first (a little of the others all the same), within a class processes take turns by weight, whatever their number of
 * connections, and within a process its connections do. A connection's own requests stay in order: where a demand
 * request waits behind others of its connection, those count as demand too. Served are RPC_ROUND requests, or less up to
 * one that is not demand; then the loop looks for new ones.
 */
#define RPC_ROUND 8u
int rpc_queue_open(struct loop *, struct rpc_queue **out);
void rpc_queue_close(struct rpc_queue *); /* its connections are closed */
/* Requests on this connection go through the queue from now on, as process 0's with WEIGHT_DEFAULT. Once. -ENOMEM. */
int rpc_queue_join(struct rpc *, struct rpc_queue *);
/*
 * The peer proved that it is process pid: it shares that process's turns from now on. weight (1 to WEIGHT_MAX) is the process's:
 * the last one said holds. -ENOMEM: as before.
 */
int rpc_queue_charge(struct rpc *, uint32_t pid, unsigned weight);

struct rpc_queue_stat {
	uint64_t at_once, waited[NET_CLASSES]; /* requests served, by how it came about */
	uint32_t waiting, processes;	       /* now */
};
void rpc_queue_stat(const struct rpc_queue *, struct rpc_queue_stat *);

/* In a handler; also later, until the reply. */
struct rpc *rpc_request_rpc(const struct rpc_request *); /* NULL: the peer is gone meanwhile */
uint32_t rpc_request_pid(const struct rpc_request *);
uint32_t rpc_request_tid(const struct rpc_request *);
unsigned rpc_request_index(const struct rpc_request *); /* of the handler that was called, an IDX_ */
/* Attach a tail to the reply (copied, replaces an earlier one). More than the list's maximum is a bug. -ENOMEM. */
int rpc_reply_tail(struct rpc_request *, const void *tail, uint32_t bytes);
/*
 * End a request kept by RPC_LATER, once; rq is gone afterwards. rep has the list's size (ignored unless err is 0; NULL:
 * the rep that the handler was given). Harmless when the peer is gone; must be called then too, it frees rq.
 */
void rpc_reply_later(struct rpc_request *, int err, const void *rep);

/* Result of an asynchronous call: err 0 or -errno (the peer's, -ETIMEDOUT, -EPIPE, -ECANCELED). */
typedef void rpc_done_fn(void *arg, int err, const void *rep, const void *tail, uint32_t tail_bytes);

/*
 * Send a request; done is called once, never from inside rpc_call. Queued while credits are out or the peer has not
 * said hello. deadline_ms 0: RPC_DEADLINE_MS. -errno (then done is not called): -EPIPE closed, -EAGAIN queue full,
 * -EINVAL not in the lists or tail too long, -ENOMEM.
 */
int rpc_call(struct rpc *, enum msg_id, uint32_t pid, const void *req, const void *tail, uint32_t tail_bytes,
	     uint32_t deadline_ms, rpc_done_fn *done, void *arg);

/* ---- synchronous use: dispatcher, command line, tests ---- */

/*
 * Connect, exchange hellos. peer: the kind it must have, KIND_NONE: any. -EPROTO: it speaks another version or is of
 * another kind (a line is logged). net has no loop.
 */
int rpc_connect_sync(struct net *, const char *addr, enum wire_kind kind, enum wire_kind peer, uint32_t timeout_ms,
		     struct rpc **out);
/*
 * The same without waiting for the peer's hello: requests may follow ours at once, RPC_CREDITS_EARLY of them, and cost no
 * round trip more. What is wrong with the peer says the first call that waits.
 */
int rpc_connect_early(struct net *, const char *addr, enum wire_kind kind, enum wire_kind peer, uint32_t timeout_ms,
		      struct rpc **out);
/*
 * Send and wait for the reply (rep has the list's reply size; tail up to *tail_bytes, set to its length; may be NULL).
 * The reply's err, or -ETIMEDOUT, -EPIPE, -EPROTO, -EMSGSIZE (tail longer than *tail_bytes). rep may be NULL;
 * deadline_ms 0: RPC_DEADLINE_MS. EINTR of the wait is not reported: it goes on.
 */
int rpc_call_sync(struct rpc *, enum msg_id, uint32_t pid, uint32_t tid, const void *req, const void *tail,
		  uint32_t tail_bytes, uint32_t deadline_ms, void *rep, void *rep_tail, uint32_t *rep_tail_bytes);
/*
 * Did the last rpc_call_sync end by the peer's reply? Then its error is what the peer said, also -EPIPE and -ETIMEDOUT;
 * otherwise the connection or the wait failed.
 */
bool rpc_answered(const struct rpc *);
/*
 * Send without waiting; the reply is taken and checked by a later call on this rpc. -EAGAIN: as many are outstanding as its class may
 * have.
 * The first error among such replies is returned once by rpc_async_error.
 */
int rpc_post_sync(struct rpc *, enum msg_id, uint32_t pid, uint32_t tid, const void *req, const void *tail,
		  uint32_t tail_bytes);
int rpc_async_error(struct rpc *);
/*
 * Send a request whose reply is taken by whatever later call on this rpc meets it, and put into *answer: that stays where it
 * is until then, or until the rpc is closed. A peer answers in order: behind the reply to a later call this one is there.
 * The request is not sent again. ask: 0, or -errno as rpc_call_sync while it is sent. answer_sync waits for the reply; its
 * error, or that of the wait (rpc_answered tells).
 */
struct rpc_answer {
	int err;   /* RPC_LATER: it has not come; else the reply's */
	void *rep; /* of the list's reply size, filled in where err is 0; NULL: not wanted */
};
int rpc_ask_sync(struct rpc *, enum msg_id, uint32_t pid, const void *req, uint32_t deadline_ms,
		 struct rpc_answer *answer);
int rpc_answer_sync(struct rpc *, const struct rpc_answer *answer, uint32_t deadline_ms);
/*
 * From now on requests of the peer are served, by whichever call on this rpc takes them: rpc_sync_step takes all that
 * has come, without waiting; its caller polls net_conn_fd. service->closed is not called. Handlers may keep a request
 * (RPC_LATER); rpc_reply_later then belongs to the thread that owns the rpc. A reply that the socket has no room for
 * goes out with a later step. step: 0, -EPIPE, -EPROTO (a breach; it is logged, the connection is dead).
 */
void rpc_sync_serve(struct rpc *, const struct rpc_service *, void *ctx);
int rpc_sync_step(struct rpc *);

#endif
