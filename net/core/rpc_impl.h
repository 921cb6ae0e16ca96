/*
 * Inside of rpc.h: one struct rpc per connection, in loop use or in synchronous use.
 *
 *   rpc_wire.c   building and checking messages      rpc_call.c  requests of ours, with a loop
 *   rpc.c        opening, hello, breach, closing      rpc_sync.c  requests of ours, waiting
 *   rpc_queue.c  requests of the peer that wait        rpc_class.c whose turn it is
 *   rpc_serve.c  requests of the peer                  rpc_lobby.c peers that have proved nothing yet
 *
 * Life with a loop: every entry from the loop is bracketed by rpc_enter/rpc_leave; callbacks of the user run only in
 * between and may rpc_close. A dead rpc is freed by the outermost rpc_leave.
 *
 * Credits, receiving side: a request of the peer takes one when it is applied and gives it back when its reply was
 * handed to net. Sending side: from the first sending until the reply arrives, also when nobody waits for it any more.
 * So the sender's count is never below the receiver's, and a breach is never the fault of timing.
 */
#ifndef ASHLAR_NET_CORE_RPC_IMPL_H
#define ASHLAR_NET_CORE_RPC_IMPL_H
#include "ashlar/base/list.h"
#include "ashlar/base/loop.h"
#include "ashlar/rpc.h"

#define RPC_QUEUE_MAX 4096u /* calls of one connection and class that wait for credits or hello */

/* A message after its checks; body and tail point into it. */
struct rpc_msg {
	struct wire_hdr h;
	const struct msg_info *info;
	const void *body, *tail;
};

/* An encoded reply: cached for duplicates, queued while the socket is full, or both. */
struct rpc_reply {
	struct list link; /* rpc.replies, when queued */
	bool queued, cached;
	uint32_t len;
	uint64_t msg[];
};

/* What is known of one of the last RPC_CREDITS request ids of the peer; reply NULL: still under way. */
struct rpc_slot {
	uint64_t id;
	struct rpc_reply *reply;
};

/* A request of the peer from its arrival to its answer. */
struct rpc_request {
	struct list link; /* rpc.requests */
	struct rpc *rpc;  /* NULL: the peer is gone */
	const struct msg_info *info;
	uint64_t id;
	uint32_t pid, tid;
	void *tail;
	uint32_t tail_bytes;
	struct rpc_waiting *waiting; /* in the queue; NULL: served, or being served */
	uint64_t rep[];
};

/* A request in the queue: what its handler will get. */
struct rpc_waiting {
	struct list link; /* rpc.in_queue */
	struct rpc_request *rq;
	uint32_t tail_bytes;
	uint64_t msg[]; /* body, then tail */
};

struct rpc_sync;

struct rpc {
	struct net_conn *conn;
	struct loop *loop; /* NULL: synchronous */
	const struct rpc_service *service;
	struct rpc_counters *counters;
	void *ctx;
	enum wire_kind kind, peer_kind;
	bool greeted; /* the peer's hello has come */
	bool dead;
	unsigned inside; /* depth of rpc_enter */
	int doom;	 /* why we killed the connection ourselves; 0: we did not */
	struct loop_timer hello_timer;
	struct list lobby; /* counters->lobby, while in_lobby */
	bool in_lobby;
	unsigned refusals;

	/* requests of the peer */
	uint64_t rx_top;     /* highest id seen */
	unsigned rx_credits; /* taken */
	struct list requests, replies;
	struct rpc_queue *queue;    /* NULL: served as they come */
	struct rpc_share *share;    /* of the queue: the process */
	struct list in_queue, turn; /* struct rpc_waiting, oldest first; share->turns[class] while not empty */
	unsigned in_queue_n[NET_CLASSES];
	struct rpc_slot slot[RPC_CREDITS];

	/* requests of ours */
	uint64_t tx_top;     /* last id given */
	unsigned tx_credits; /* taken */
	unsigned tx_credits_max;
	unsigned n_queued[NET_CLASSES], passed[NET_CLASSES]; /* passed: others that went before a waiting class */
	struct list queued[NET_CLASSES], waiting;	     /* struct rpc_call */
	struct rpc_sync *sync;
	bool answered; /* the last synchronous call was */
};

/* rpc_wire.c: the check functions return NULL, or in words what is wrong. */
const char *rpc_msg_check(const void *buf, size_t len, struct rpc_msg *out);
const char *rpc_hello_check(const void *buf, size_t len, struct hello_req *out);
bool rpc_is_hello(const void *buf, size_t len);
uint32_t rpc_encode(void *buf, const struct wire_hdr *, const void *body, const void *tail);
int rpc_hello_send(struct net_conn *, enum wire_kind kind);

/* rpc.c */
void rpc_enter(struct rpc *);
void rpc_leave(struct rpc *);
/* The connection ends with err, from inside enter/leave: calls end with -EPIPE, the service's closed() is called. */
void rpc_fail(struct rpc *, int err);
/* The same from anywhere, by way of the loop. */
void rpc_doom(struct rpc *, int err);
/* Count, name and end a breach of protocol; buf/len: the message. */
void rpc_breach(struct rpc *, const char *words, const void *buf, size_t len);

/* rpc_lobby.c */
void rpc_lobby_enter(struct rpc *);
void rpc_lobby_leave(struct rpc *); /* harmless when it is not there */

/* rpc_serve.c */
const char *rpc_serve(struct rpc *, const struct rpc_msg *); /* NULL or what is wrong */
void rpc_serve_flush(struct rpc *);			     /* the socket has room */
void rpc_serve_end(struct rpc *);

/*
 * Which class has its turn: the most urgent one of those in `able` (bit mask by enum net_class, not 0); but one that waits
 * and has been passed by RPC_PASSED_MAX others goes first. Counts in passed; `waiting` says which classes wait.
 */
#define RPC_PASSED_MAX 15u
enum net_class rpc_turn(unsigned able, unsigned waiting, unsigned *passed);
/* How many credits of max a class may take: each leaves RPC_CREDITS_KEPT (at most a quarter) to those above it. */
unsigned rpc_credits_of(unsigned max, enum net_class);

void rpc_request_free(struct rpc_request *);
/* Call the handler of a request that was let in, and answer, unless it answers later. */
void rpc_serve_one(struct rpc_request *, const void *body, const void *tail, uint32_t tail_bytes);

/* rpc_queue.c */
/* 1: serve it right away; 0: it waits now; -ENOMEM. */
int rpc_queue_add(struct rpc_request *, const struct rpc_msg *);
void rpc_queue_flush(struct rpc *); /* serve all of this connection */
void rpc_queue_leave(struct rpc *); /* drop what waits */

/* rpc_call.c */
const char *rpc_call_reply(struct rpc *, const struct rpc_msg *);
void rpc_call_flush(struct rpc *);
void rpc_call_end(struct rpc *, int err);

/* rpc_sync.c */
void rpc_sync_close(struct rpc *);

#endif
