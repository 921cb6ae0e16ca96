/*
 * Provider `verbs`: RDMA devices by libibverbs, reliable connected queue pairs, connected by librdmacm.
 *
 *   open.c     a fabric, table of slots    listen.c   accepting              pd.c       protection domains, regions
 *   device.c   the device and its limits   connect.c  connecting             grant.c    keys given away
 *   floor.c    descriptors                 conn.c     message connections    lane.c     data connections
 *   link.c     one queue pair: making,     recv.c     receiving, checks      post.c     their work requests
 *              connecting it               send.c     sending, queue, credits  transfer.c one-sided
 *   event.c    connection events of a net  pool.c     message buffers        watch.c    the same on the loop
 *   cq.c       completion queues           linger.c   ends in good order
 *
 * A message connection is one queue pair. Every frame on it begins with struct vb_frame and takes one of the VB_WINDOW
 * credits that the receiver gives (VB_CREDIT and VB_BYE take none), so that a frame finds a buffer; buffers come from a
 * shared receive queue, one for a net with a loop, else one for the connection. A key is a random name; what it stands for
 * comes ahead of it in a frame of its own (net/core/keys.h).
 *
 * One-sided transfers go through *lanes*: a queue pair for each net_data and each protection domain of the peer that it
 * reaches. On the owner's side (struct vb_end) it lies in the ibv_pd of that net_pd, so that a key, guessed or not, opens
 * regions of that net_pd and no others. A lane is let in only with the token that the owner sent to that connection
 * (struct net_tie), before it has a queue pair. Lanes are always connected by the side that connected the message
 * connection, since only the other one listens: the owner connects when asked (VB_LANE) where it is that side.
 *
 * On the initiator's side all queue pairs lie in one ibv_pd of the net, in which no memory can be reached by others. What
 * net_sge.mr names is registered there once more, for local use.
 *
 * A refused transfer ends its lane, and its completion says which it was. The others are posted again on a new connection,
 * as is everything when the wire was lost; a transfer has no effect that a second posting would change.
 */
#ifndef ASHLAR_NET_VERBS_VERBS_H
#define ASHLAR_NET_VERBS_VERBS_H
#include <pthread.h>
#include <rdma/rdma_cma.h>
#include <infiniband/verbs.h>
#include <sys/socket.h>
#include "ashlar/base/list.h"
#include "ashlar/base/loop.h"
#include "ashlar/base/secret.h"
#include "net/core/given.h"
#include "net/core/place.h"
#include "net/core/provider.h"
#include "net/core/xfer.h"

#define VB_WINDOW 32u			    /* frames a peer may have sent that we have not consumed */
#define VB_SPARE 6u			    /* frames without credit that may be under way beside them */
#define VB_RX (VB_WINDOW + VB_SPARE)	    /* receive buffers for a connection */
#define VB_TX 16u			    /* send buffers for a connection without a loop, or for all of the first */
#define VB_TX_MORE 4u			    /* for each further connection of a net with a loop */
#define VB_POOL_RX_MAX 1024u		    /* receive buffers of a net */
#define VB_POOL_TX_MAX 512u		    /* send buffers of a net */
#define VB_SQ 128u			    /* sends of a connection that are not known to be done */
#define VB_SIGNAL_EVERY 8u		    /* inline sends without a completion in a row, less one */
#define VB_INLINE 256u			    /* bytes we would like to send inline */
#define VB_TX_BYTES_MAX (256u << 10)	    /* messages queued without credit, with a loop */
#define VB_TX_BYTES_SYNC (96u << 10)	    /* the same without one */
#define VB_TX_KEYS_MAX (2 * RPC_CREDITS)    /* key frames queued without credit */
#define VB_ENDS_MAX 256u		    /* lanes into one net_pd from one connection */
#define VB_XFERS 128u			    /* transfers of one net_data in flight */
#define VB_LANE_SQ 256u			    /* work requests of a lane in flight */
#define VB_SGE_MAX 16u			    /* pieces of one work request; more make several */
#define VB_ROUNDS_MAX 32u		    /* frames or events taken before others get their turn */
#define VB_SPIN_NS 40000u		    /* a wait looks for so long before it sleeps */
#define VB_PRIVATE_MAX 56u		    /* private data of a connect request, as rdmacm has it */
#define VB_RESOLVE_MS 2000		    /* for an address, and for a route to it */
#define VB_ATTEMPT_NS (500 * NS_PER_MS)	    /* one attempt to connect a lane */
#define VB_PAUSE_NS (50 * NS_PER_MS)	    /* between two that failed */
#define VB_REPLAY_NS (10000 * NS_PER_MS)    /* a lane is connected anew and replays for so long, then -EPIPE */
#define VB_LINGER_NS (1000 * NS_PER_MS)	    /* a closed connection waits so long for its last frames, */
#define VB_LINGER_SYNC_NS (200 * NS_PER_MS) /* without a loop so long */
#define VB_BREATH_NS (2000 * NS_PER_MS)	    /* a silent connection of a loop is tried so often */
#define VB_MAGIC 0x6c687361u		    /* "ashl" */
#define VB_VERSION 1u

/*
 * Time-outs of queue pairs. A request that is not acknowledged is sent again after 4.096 us * 2^timeout (a device may take
 * up to four times as long), retry times, then the queue pair fails. Data: 134 ms * 7, 0.94 s, then the lane connects
 * anew. Messages: 1.07 s * 7, 7.5 s, as losing one is losing the peer: longer than a machine may stand still (5 s), and
 * than the gmm waits for a heartbeat (3 s). Seven retries would be the most there are; rxe takes them for no end. A receiver without buffers (RNR) lives: it is waited for without end.
 */
#define VB_DATA_TIMEOUT 15
#define VB_DATA_RETRY 6
#define VB_MSG_TIMEOUT 18
#define VB_MSG_RETRY 6
#define VB_RNR_RETRY 7	/* without end */
#define VB_RNR_TIMER 12 /* 0.64 ms */

enum vb_kind { VB_MESSAGE = 0x5642, VB_KEY, VB_CLOSED, VB_LANE, VB_CREDIT, VB_BYE, VB_PROOF };

struct vb_frame {
	uint16_t kind;	  /* enum vb_kind; a body follows, but behind VB_CREDIT and VB_BYE */
	uint16_t credits; /* frames consumed since the last one said so */
	uint32_t zero;
};
struct vb_lane_body {
	uint64_t token[2];  /* of the key */
	uint64_t secret[2]; /* what the lane that comes back must say */
};
#define VB_FRAME_BYTES (sizeof(struct vb_frame) + MSG_BYTES_MAX)

/* Private data of a connect request; zeros up to VB_PRIVATE_MAX follow. */
enum vb_hello_kind { VB_HELLO_CONN = 1, VB_HELLO_LANE, VB_HELLO_BACK };
#define VB_HELLO_PROVES 1u /* has the rack's key, and shows it (proof.c) */
struct vb_hello {
	uint32_t magic;
	uint16_t version, kind; /* enum vb_hello_kind */
	uint64_t token[2];	/* CONN: drawn; LANE: the tie's; BACK: the secret of the one who asked */
	uint32_t uid, gid;	/* CONN, and what follows: whom it is for */
	int32_t host_pid;
	uint32_t flags;
};
_Static_assert(sizeof(struct vb_hello) <= VB_PRIVATE_MAX, "fits the connect request");

/* Private data of the answer to VB_HELLO_CONN. */
struct vb_answer {
	uint32_t magic, flags;
	uint64_t nonce[2];
	uint8_t mac[SECRET_MAC_BYTES];
};
_Static_assert(sizeof(struct vb_answer) <= VB_PRIVATE_MAX, "fits a vb_event");

/* A completion queue with its channel. armed: the channel will tell of the next completion. */
struct vb_cq {
	struct ibv_cq *cq;
	struct ibv_comp_channel *channel;
	bool armed;
	struct ibv_wc wc[16]; /* polled, not taken yet */
	unsigned first, n;
};

/* A registered buffer for one frame. */
struct vb_buf {
	struct list link;
	uint8_t *data;
	uint32_t lkey;
};
struct vb_chunk;
struct vb_pool {
	struct vb_net *net;
	struct ibv_srq *srq;
	struct list chunks, free; /* free: to send from */
	unsigned rx, tx, rx_max;  /* buffers made; the queue's size */
	unsigned users;		  /* connections */
};

struct vb_net {
	struct net base;
	struct ibv_context *ctx;
	struct ibv_device_attr attr;
	uint64_t msg_max; /* bytes of one work request */
	unsigned sge_max;
	struct ibv_pd *pd;   /* messages, lanes, local memory: nothing in it can be reached by others */
	struct ibv_cq *sink; /* of ends: nothing completes there */
	bool may_spin;	     /* there is more than one core */
	bool gone;	     /* the device: atomic */
	bool has_secret;
	struct secret secret;
	bool refusal_logged, limit_logged, port_logged;
	struct rdma_event_channel *channel; /* with a loop: of listeners, and what was accepted */
	struct loop_timer events_timer;
	struct vb_pool *pool;	   /* with a loop */
	uint32_t conns;		   /* atomic */
	struct list ties, waiting; /* of all connections; lanes that wait to be connected back */
	struct list deferred;	   /* events that came while a transfer waited */
	struct list lingering;	   /* closed connections whose last frames are under way */
};

/* One rdmacm identifier and its queue pair. */
enum vb_what { VB_IS_LISTENER = 1, VB_IS_CONN, VB_IS_END, VB_IS_LANE };
struct vb_spec {
	struct ibv_pd *pd;
	struct ibv_cq *cq;
	struct ibv_srq *srq;
	unsigned sq, sge, inline_bytes;
	bool reached; /* the other side may read and write memory of pd */
};
struct vb_link {
	enum vb_what what;
	struct vb_net *net;
	struct rdma_cm_id *id;
	struct ibv_qp *qp;
	struct vb_spec spec;	 /* of the queue pair to make; inline_bytes is what was granted then */
	struct vb_hello hello;	 /* of who connects */
	struct vb_answer answer; /* of who accepts, for a message connection */
	bool up;
};

/* A copy of what rdmacm told. */
struct vb_event {
	struct list link;
	enum rdma_cm_event_type type;
	int status;
	struct rdma_cm_id *id, *listen;
	uint8_t depth, resources;
	uint8_t private_data[VB_PRIVATE_MAX];
	size_t private_len;
};

struct vb_tx {
	struct list link;
	uint32_t len; /* with the frame */
	uint8_t data[];
};

struct vb_conn {
	struct vb_link link;
	struct net_conn base;
	bool active; /* we connected it */
	struct net_life *life;
	struct rdma_event_channel *channel; /* active: its own */
	struct vb_cq cq;
	struct vb_pool *pool;		   /* without a loop its own */
	struct sockaddr_storage peer;	   /* active: where lanes go */
	struct vb_hello said;		   /* by the connecting side */
	uint64_t nonce[2];		   /* the listener's */
	uint8_t awaited[SECRET_MAC_BYTES]; /* passive: what the connecting side has to show */
	bool proven;			   /* passive: it has */
	struct vb_listener *listener;	   /* accepted, not yet handed out */
	struct list accepting;
	int poll_fd; /* epoll over queue, events and life */
	struct loop_timer again, breath;
	struct { /* messages that arrived and were not delivered, oldest first */
		struct vb_buf *buf;
		uint32_t len;
	} ready[VB_RX];
	unsigned ready_first, ready_count;
	unsigned window;  /* frames that the peer may still send */
	unsigned credits; /* frames that we may still send */
	unsigned owed;	  /* frames consumed that the peer has not heard of */
	struct list tx;
	uint32_t tx_bytes, tx_keys;   /* queued in tx */
	bool tx_refused;	      /* -EAGAIN was said */
	uint32_t posted, done;	      /* work requests: all; those known to be done */
	unsigned unsignalled;	      /* in a row */
	struct vb_buf *flight[VB_SQ]; /* of sends not done; NULL: inline */
	bool breathed;		      /* something was sent since the timer last looked */
	bool started, busy, closing;  /* of the callbacks */
	bool gone;		      /* disconnected: what is in the queue still counts */
	bool ended, over;	      /* over: nothing more will arrive */
	struct net_keys keys;	      /* arrived */
	struct list given;	      /* struct net_given */
	struct list ties;	      /* struct net_tie */
	struct list datas;	      /* passive: net_datas of this connection */
	struct list lingering;
	uint64_t linger_until;
};

struct vb_listener {
	struct vb_link link;
	struct net_listener base;
	void (*accepted)(void *, struct net_conn *);
	void *arg;
	struct list accepting; /* connections under way */
	bool busy, closing;
	char addr[ADDR_BYTES];
};

struct vb_pd {
	struct net_pd base;
	struct ibv_pd *pd; /* made with the first key */
	uint32_t regions;  /* atomic: threads have buffers in one */
	struct list ties;
};

struct vb_mr {
	struct net_mr base;
	struct vb_pd *pd;
	int fd;	    /* common to all that share the memory */
	void *addr; /* the owner's mapping, or NULL */
	struct ibv_mr *read, *write;
	struct ibv_mr *local; /* atomic; made when it is first a local end */
	pthread_mutex_t local_lock;
	bool sealed;
	struct list given;
};

struct vb_end {
	struct vb_link link;
	struct list of_tie;
	struct net_tie *tie;
	bool counted; /* its queue pair has refused a transfer */
};

struct vb_xfer {
	struct net_xfer base;
	unsigned slots; /* of the send queue that it holds */
	struct ibv_sge sge[NET_SGE_MAX];
};

enum vb_lane_state { VB_LANE_CLOSED, VB_LANE_PAUSED, VB_LANE_CONNECTING, VB_LANE_UP };
struct vb_lane {
	struct vb_link link;
	struct list of_data, waiting;
	struct vb_data *data;
	enum vb_lane_state state;
	uint64_t token[2], secret[2];
	struct rdma_event_channel *channel; /* active */
	struct vb_cq cq;
	int poll_fd; /* epoll over both; -1: none */
	struct list queue, flight;
	unsigned slots;	  /* of the send queue in use */
	uint64_t next_ns; /* PAUSED: when to connect; CONNECTING: when to give the attempt up */
	uint64_t lost_ns; /* since then nothing was done; 0: all is well */
	int watched_fd;	  /* in the loop; 0: none */
};

struct vb_data {
	struct net_data base;
	struct net_xfers xfers;
	struct vb_conn *conn; /* passive: NULL when it is closed */
	struct list of_conn;
	bool active;
	struct sockaddr_storage peer; /* active */
	struct list lanes;
	bool watched; /* its user is told of completions */
	struct loop_timer again;
	struct vb_xfer *room; /* for all of them */
};

static inline struct vb_net *vb_net(struct net *net)
{
	return container_of(net, struct vb_net, base);
}
static inline struct vb_conn *vb_conn(struct net_conn *c)
{
	return container_of(c, struct vb_conn, base);
}
static inline bool vb_gone(const struct vb_net *net)
{
	return __atomic_load_n(&net->gone, __ATOMIC_RELAXED);
}

/* device.c: open the device, read its limits. 0, -ENODEV, -ENOMEM; logged. */
int vb_device_open(struct vb_net *);
void vb_device_close(struct vb_net *);
bool vb_device_same(const struct vb_net *, const struct rdma_cm_id *); /* else it is logged */
void vb_device_gone(struct vb_net *, const char *why);
/* Posting failed, by this errno. A device whose driver writes to the kernel (rxe) does it with the credentials that opened it. */
void vb_device_denied(struct vb_net *, int err);
/* Log once what the device or a limit of the process refused (err: errno), and what to call it: -ENOSPC, -ENOMEM, ... */
int vb_refused(struct vb_net *, const char *what, uint64_t limit, int err);
/* The address that "verbs:auto" stands for: IPv4, of the device's own. -ENODEV. */
int vb_device_host(struct vb_net *, char *host, size_t len);

/* drivers/: what a program linked statically must say of drivers before the first look for devices. */
void vb_drivers(void);

/* floor.c */
int vb_channel_open(struct vb_net *, struct rdma_event_channel **); /* of events; does not block */
void vb_channel_close(struct rdma_event_channel **);
int vb_context_raise(struct ibv_context *, int floor);
int vb_fd_prepare(int *fd, int floor); /* not blocking, at floor or above, closed on exec */

/* cq.c */
int vb_cq_open(struct vb_net *, unsigned entries, struct vb_cq *);
void vb_cq_close(struct vb_cq *);
bool vb_cq_take(struct vb_cq *, struct ibv_wc *);
void vb_cq_drain(struct vb_cq *);    /* its channel has told: the descriptor is no longer readable */
bool vb_cq_may_wait(struct vb_cq *); /* armed; else there is something to take */

/* pool.c */
int vb_pool_join(struct vb_net *, struct vb_pool **); /* for one more connection */
void vb_pool_leave(struct vb_pool *);
void vb_pool_close(struct vb_pool *);
int vb_pool_post(struct vb_pool *, struct vb_buf *); /* to receive into */
struct vb_buf *vb_pool_get(struct vb_pool *);	     /* to send from, or NULL */
void vb_pool_put(struct vb_pool *, struct vb_buf *);
void vb_pool_low(struct vb_pool *); /* the device says that few are left */

/* link.c */
int vb_event_take(struct rdma_event_channel *, struct vb_event *); /* 1, or 0: none */
int vb_link_connect(struct vb_link *, struct rdma_event_channel *, const struct sockaddr_storage *peer);
int vb_link_step(struct vb_link *, const struct vb_event *); /* one of ours: 0 up, -EAGAIN goes on, or why it failed */
int vb_link_accept(struct vb_link *, const struct vb_event *); /* takes the event's id, in any case */
void vb_link_close(struct vb_link *);
bool vb_link_refused(const struct vb_link *); /* its queue pair is in error: it refused something */

/* address.c: 0, -EINVAL, -ENODEV */
int vb_address_parse(struct vb_net *, const char *addr, bool listening, struct sockaddr_storage *);

/* event.c */
int vb_events_open(struct vb_net *);
void vb_events_close(struct vb_net *);
void vb_events_lanes(struct vb_net *); /* only those of our lanes; the loop gets the others */
void vb_events_forget(struct vb_net *, const struct rdma_cm_id *); /* before it is closed */

/* listen.c */
int vb_listen(struct net *, const char *addr, void (*accepted)(void *, struct net_conn *), void *arg,
	      struct net_listener **out);
const char *vb_listener_addr(const struct net_listener *);
void vb_listener_close(struct net_listener *);
void vb_request(struct vb_net *, struct vb_listener *, const struct vb_event *); /* takes its id */
void vb_accepted(struct vb_conn *);						 /* hand it out */

/* connect.c */
int vb_connect(struct net *, const char *addr, uint32_t timeout_ms, struct net_conn **out);
int vb_connect_begin(struct net *, const struct net_peer *whom, const char *addr, uint32_t timeout_ms,
		     struct net_connecting **out);
void vb_connect_cancel(struct net_connecting *);

/* conn.c */
int vb_conn_new(struct vb_net *, bool active, struct vb_conn **out);
void vb_conn_free(struct vb_conn *);
int vb_conn_start(struct net_conn *);
void vb_conn_close(struct net_conn *);
int vb_conn_fd(const struct net_conn *);
void vb_conn_kill(struct net_conn *);
bool vb_conn_dead(const struct net_conn *);
int vb_conn_wait(struct net_conn *, uint64_t deadline_ns);
void vb_conn_run(struct vb_conn *);			      /* with a loop: take and deliver what is there */
void vb_conn_woken(struct vb_conn *);			      /* its descriptor was readable: take what made it so */
int vb_conn_event(struct vb_conn *, const struct vb_event *); /* as vb_link_step; ends it when it is disconnected */

/* proof.c */
int vb_proof_begin(struct vb_conn *, const struct net_peer *whom); /* active: fills in the hello. 0, -EIO */
/* Passive: takes what the request said, fills in the answer. 0, -EINVAL, -EIO */
int vb_proof_answer(struct vb_conn *, const struct vb_hello *, const struct sockaddr *listener);
int vb_proof_check(struct vb_conn *, const struct vb_event *); /* active: the answer came, shows ours. 0, -EACCES */
bool vb_proof_take(struct vb_conn *, const uint8_t mac[SECRET_MAC_BYTES]); /* passive: false, it is to end */
void vb_conn_peer(const struct net_conn *, struct net_peer *);

/* linger.c */
bool vb_linger(struct vb_conn *); /* of a closed one: true when it must live on; it frees itself then */
void vb_linger_end(struct vb_net *);

/* send.c */
int vb_send(struct net_conn *, const void *buf, size_t len);
int vb_send_key(struct vb_conn *, const struct net_key_body *);			    /* 0, -EAGAIN, -EPIPE, -ENOMEM */
void vb_send_control(struct vb_conn *, enum vb_kind, const void *body, size_t len); /* kills the conn if it cannot */
int vb_send_bare(struct vb_conn *, enum vb_kind); /* a frame without credit: 0, -EAGAIN, -EPIPE */
void vb_send_breath(struct vb_conn *);		  /* a write of nothing */
void vb_sent(struct vb_conn *, uint32_t number);
void vb_flush(struct vb_conn *);
bool vb_tx_room(const struct vb_conn *);
void vb_tx_drop(struct vb_conn *);

/* recv.c */
void vb_conn_progress(struct vb_conn *); /* take completions: frames of control are done, messages made ready */
void vb_conn_reclaim(struct vb_conn *);	 /* all buffers that it still holds, its queue pair being in error */
long vb_recv(struct net_conn *, void *buf, size_t len);
void vb_ready_deliver(struct vb_conn *); /* the oldest message, to the callback */

/* grant.c */
int vb_mr_grant(struct net_mr *, struct net_conn *to, unsigned access, struct net_key *);
void vb_given_close(struct vb_mr *, unsigned access);
void vb_tie_close(struct net_tie *);
int vb_end_accept(struct net_tie *, const struct vb_event *);	    /* takes its id */
bool vb_end_connect(struct vb_conn *, const struct vb_lane_body *); /* false: a breach */
void vb_end_event(struct vb_end *, const struct vb_event *);
void vb_end_refusal(struct vb_end *); /* count that it refused a transfer, once */
void vb_end_close(struct vb_end *);

/* pd.c */
int vb_pd_open(struct net *, struct net_pd **out);
void vb_pd_close(struct net_pd *);
int vb_mr_alloc(struct net_pd *, uint64_t bytes, bool mapped, struct net_mr **out);
void *vb_mr_addr(const struct net_mr *);
int vb_mr_fd(const struct net_mr *);
int vb_mr_register(struct vb_mr *, unsigned access);			    /* makes the keys that are missing */
int vb_mr_local(struct vb_net *, const struct net_sge *, struct ibv_sge *); /* 0, -EINVAL, -ENOMEM, -ENOSPC */
int vb_mr_seal(struct net_mr *);
bool vb_mr_sealed(const struct net_mr *);
int vb_mr_share(struct net_mr *, struct net_pd *to, struct net_mr **out);
void vb_mr_free(struct net_mr *);

/* lane.c */
struct vb_lane *vb_lane_get(struct vb_data *, const uint64_t token[2]);
void vb_lane_submit(struct vb_lane *, struct vb_xfer *);
void vb_lane_run(struct vb_lane *);
void vb_lane_fail(struct vb_lane *, int err); /* all that it holds */
void vb_lane_close(struct vb_lane *);
void vb_lane_woken(struct vb_lane *);	      /* a descriptor of it was readable */
uint64_t vb_lane_due(const struct vb_lane *); /* when it must run though nothing came; UINT64_MAX: never */
struct vb_lane *vb_lane_waiting(struct vb_net *, const uint64_t secret[2]);
void vb_lane_accept(struct vb_lane *, const struct vb_event *); /* takes its id */
void vb_lane_event(struct vb_lane *, const struct vb_event *);

/* post.c: all of it or nothing: 0, -EAGAIN: the send queue is full, -ENOSPC: it is too short for it, -EIO: the lane is lost */
int vb_post(struct vb_lane *, struct vb_xfer *);

/* transfer.c */
int vb_data_open(struct net_conn *, enum net_class, struct net_data **out);
void vb_data_close(struct net_data *);
int vb_remote_open(struct net_conn *, const struct net_key *, uint64_t bytes, struct net_remote **out);
int vb_read(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n, uint64_t total,
	    uint64_t cookie);
int vb_write(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n, uint64_t total,
	     uint64_t cookie);
int vb_data_poll(struct net_data *, struct net_completion *, int n);
int vb_data_wait(struct net_data *, uint64_t deadline_ns);
void vb_xfer_done(struct vb_data *, struct vb_xfer *, int err);
void vb_data_run(struct vb_data *); /* take what its lanes have */

/* watch.c: on the loop */
int vb_data_start(struct net_data *);
void vb_data_tell(struct vb_data *);	/* a transfer has ended */
void vb_data_settle(struct vb_data *);	/* before the loop sleeps */
void vb_lane_watch(struct vb_lane *);	/* its state has changed */
void vb_lane_unwatch(struct vb_lane *); /* before its descriptors are closed */

#endif
