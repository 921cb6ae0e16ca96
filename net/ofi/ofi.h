/*
 * Provider `ofi`: libfabric's connection-oriented endpoints (FI_EP_MSG), with a provider of libfabric chosen by name.
 * The library is loaded when the first such fabric is opened, never before: loading it takes a fifth of a second.
 *
 *   lib.c      libfabric itself             event.c   connection events of a net     region.c    domains, memory, sealing
 *   open.c     a fabric, table of slots     conn.c    life of a message connection   grant.c     keys given away
 *   address.c  names of sockets             recv.c    receiving, checks              keys.c      keys that arrived
 *   listen.c   accepting                    send.c    sending, queue, credits        lane.c      data connections
 *   connect.c  connecting                   wait.c    completion queues, waiting     transfer.c  one-sided
 *                                                                                    watch.c     the same on the loop
 *
 * A message connection is one endpoint. Every frame on it begins with struct ofi_frame and takes one of the OFI_WINDOW
 * credits that the receiver gives (OFI_CREDIT alone takes none), so that a frame always finds a buffer. A key is a
 * random name; what it stands for comes ahead of it in a frame of its own (net/core/keys.h).
 *
 * One-sided transfers go through *lanes*: an endpoint for each net_data and each protection domain of the peer that it
 * reaches. On the owner's side (struct ofi_end) it lies in the libfabric domain of that net_pd, so it reaches the
 * regions of that net_pd and nothing else. A lane is let in only with the token that the owner sent to that connection
 * (struct net_tie), before a byte of it is read. Lanes are always connected by the side that connected the message
 * connection, since only the other one listens: the owner connects when asked (OFI_LANE) where it is that side.
 *
 * A target answers a transfer that it refuses by ending the lane. The initiator then connects a new one, posts what was
 * in flight again, one by one, and so finds the transfer to blame; the others do not notice.
 */
#ifndef ASHLAR_NET_OFI_OFI_H
#define ASHLAR_NET_OFI_OFI_H
/* First: libfabric has a container_of of its own where there is none yet. */
#include "ashlar/base/list.h"

#include <sys/socket.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>
#include "ashlar/base/loop.h"
#include "net/core/given.h"
#include "net/core/place.h"
#include "net/core/provider.h"
#include "net/core/xfer.h"

#define OFI_WINDOW 32u				/* frames a peer may have sent that we have not consumed */
#define OFI_CREDITS_SPARE 4u			/* credit frames that may be under way beside them */
#define OFI_RX (OFI_WINDOW + OFI_CREDITS_SPARE) /* receive buffers of a connection */
#define OFI_TX_BYTES_MAX (256u << 10)		/* messages queued without credit, with a loop */
#define OFI_TX_BYTES_SYNC (96u << 10)		/* the same without one */
#define OFI_TX_KEYS_MAX (2 * RPC_CREDITS)	/* key frames queued without credit */
#define OFI_ENDS_MAX 256u			/* lanes into one net_pd from one connection */
#define OFI_XFERS 128u				/* transfers of one net_data in flight */
#define OFI_IOV_MAX 4u				/* pieces of one libfabric operation; more make several */
#define OFI_ROUNDS_MAX 32u			/* frames or events taken before others get their turn */
#define OFI_EMPTY_MAX 64u			/* wake-ups of the event queue in a row that bring nothing */
#define OFI_EMPTY_MS 50u			/* pause after so many */
#define OFI_SPIN_NS 40000u			/* a wait for a transfer looks for so long before it sleeps */
#define OFI_PRIVATE_MAX 256u			/* private data of a connect request that we look at */
#define OFI_MAGIC 0x6c687361u			/* "ashl" */
#define OFI_VERSION 1u

enum ofi_kind { OFI_MESSAGE = 0x4d4f, OFI_KEY, OFI_CLOSED, OFI_LANE, OFI_CREDIT };

struct ofi_frame {
	uint16_t kind;	  /* enum ofi_kind; a body follows, but behind OFI_CREDIT */
	uint16_t credits; /* frames consumed since the last one said so */
	uint32_t zero;
};
struct ofi_lane_body {
	uint64_t token[2];  /* of the key */
	uint64_t secret[2]; /* what the lane that comes back must say */
};

/* Private data of a connect request. */
enum ofi_hello_kind { OFI_HELLO_CONN = 1, OFI_HELLO_LANE, OFI_HELLO_BACK };
struct ofi_hello {
	uint32_t magic;
	uint16_t version, kind; /* enum ofi_hello_kind */
	uint64_t token[2];	/* LANE: the tie's; BACK: the secret of the one who asked */
};
_Static_assert(sizeof(struct ofi_hello) <= 56, "fits the connect request of every provider");

/* libfabric's exported symbols; all else goes through tables of operations. */
struct ofi_lib {
	int (*getinfo)(uint32_t, const char *, const char *, uint64_t, const struct fi_info *, struct fi_info **);
	void (*freeinfo)(struct fi_info *);
	struct fi_info *(*dupinfo)(const struct fi_info *);
	int (*fabric)(struct fi_fabric_attr *, struct fid_fabric **, void *);
	uint32_t (*version)(void);
};
extern struct ofi_lib ofi_lib;

/* Every context that libfabric hands back with an event begins with this. */
enum ofi_what { OFI_IS_LISTENER = 1, OFI_IS_CONN, OFI_IS_END, OFI_IS_LANE };
struct ofi_context {
	enum ofi_what what;
};

/* A queue of completions or events with its wait descriptor; wait: only where fi_trywait does not do (wait.c). */
struct ofi_cq {
	struct fid_cq *cq;
	struct fid_wait *wait;
	int fd;
};
struct ofi_eq {
	struct fid_eq *eq;
	struct fid_wait *wait;
	int fd;
};

struct ofi_net {
	struct net base;
	char prov[NAME_BYTES]; /* libfabric's name of its provider */
	struct fi_info *hints;
	struct fi_info *info; /* of the provider, without addresses */
	bool virt_addr, key32;
	size_t iov_max;
	struct fid_fabric *fabric;
	struct fid_domain *domain; /* of messages and of our lanes: no region lies in it */
	struct ofi_eq eq;	   /* with a loop: events of listeners, accepted connections and lanes */
	bool wait_sets, may_spin;  /* wait.c; there is more than one core */
	struct loop_timer eq_timer;
	unsigned eq_empty;
	bool refusal_logged;
	uint32_t conns;		   /* atomic */
	struct list ties, waiting; /* of all connections; lanes that wait to be connected back */
	struct list deferred;	   /* events that came while a transfer waited */
};

struct ofi_tx {
	struct list link;
	uint32_t len; /* with the frame */
	uint8_t data[];
};

struct ofi_conn {
	struct ofi_context context;
	struct net_conn base;
	bool active; /* we connected it */
	struct net_life *life;
	struct fid_ep *ep;
	struct ofi_cq cq;
	struct ofi_eq eq;	       /* active: its own */
	struct fi_info *info;	       /* active: how to connect lanes */
	struct ofi_listener *listener; /* accepted, not yet handed out */
	struct list accepting;
	int poll_fd; /* epoll over the queue and life->event_fd */
	struct loop_timer again;
	uint8_t *rx; /* OFI_RX buffers */
	uint8_t rx_slot[OFI_RX];
	struct { /* messages that arrived and were not delivered, oldest first */
		uint8_t slot;
		uint32_t len;
	} ready[OFI_RX];
	unsigned ready_first, ready_count;
	unsigned window;  /* frames that the peer may still send */
	unsigned credits; /* frames that we may still send */
	unsigned owed;	  /* frames consumed that the peer has not heard of */
	struct list tx, tx_flight;
	uint32_t tx_bytes, tx_keys;		  /* queued in tx */
	bool tx_refused;			  /* -EAGAIN was said */
	bool started, busy, closing, ended, over; /* over: nothing more will arrive */
	struct net_keys keys;
	struct list given; /* struct net_given */
	struct list ties;  /* struct net_tie */
	struct list datas; /* passive: net_datas of this connection */
};

struct ofi_listener {
	struct ofi_context context;
	struct net_listener base;
	struct fid_pep *pep;
	void (*accepted)(void *, struct net_conn *);
	void *arg;
	struct list accepting; /* connections under way */
	bool busy, closing;
	char addr[ADDR_BYTES];
};

struct ofi_pd {
	struct net_pd base;
	struct fid_domain *domain;
	struct ofi_cq cq; /* with a loop: what moves the transfers of peers on */
	struct loop_timer again;
	uint32_t regions;
	struct list ties;
	struct list ranges; /* addresses of freed regions, for the next ones: none else may get them */
};

struct ofi_mr {
	struct net_mr base;
	struct ofi_pd *pd;
	int fd;	    /* common to all that share the memory */
	void *wire; /* mapping that peers reach */
	void *addr; /* the owner's mapping, or NULL */
	struct fid_mr *read, *write;
	bool sealed;
	struct list given;
};

struct ofi_end {
	struct ofi_context context;
	struct list link;
	struct net_tie *tie;
	struct fid_ep *ep;
};

struct ofi_xfer {
	struct net_xfer base;
	unsigned posted; /* pieces handed to libfabric */
	unsigned parts;	 /* operations without a completion yet */
	struct net_sge sge[NET_SGE_MAX];
};

enum ofi_lane_state { OFI_LANE_CLOSED, OFI_LANE_CONNECTING, OFI_LANE_UP };
struct ofi_lane {
	struct ofi_context context;
	struct list link, waiting;
	struct ofi_data *data;
	enum ofi_lane_state state;
	uint64_t token[2], secret[2];
	struct fid_ep *ep;
	struct ofi_cq cq;
	struct ofi_eq eq; /* active */
	struct list queue, flight;
	unsigned in_flight;
	int watched_fd; /* in the loop; 0: none */
	bool careful;	/* one by one, until the queue is empty */
	struct ofi_xfer *suspect;
};

struct ofi_data {
	struct net_data base;
	struct net_xfers xfers;
	struct ofi_conn *conn; /* passive: NULL when it is closed */
	struct list of_conn;
	struct fi_info *info; /* active */
	struct list lanes;
	bool watched; /* its user is told of completions */
	struct loop_timer again;
	struct ofi_xfer *room; /* for all of them */
};

static inline struct ofi_net *ofi_net(struct net *net)
{
	return container_of(net, struct ofi_net, base);
}
static inline struct ofi_conn *ofi_conn(struct net_conn *c)
{
	return container_of(c, struct ofi_conn, base);
}

/* lib.c: load libfabric, once; find what it has for a provider by name. 0 or -ENODEV, logged. */
int ofi_lib_load(void);
int ofi_lib_provider(const char *prov, struct fi_info **hints, struct fi_info **found);

/* address.c: 0, -EINVAL, -ENOENT (no such host). *info: the caller's, made for listening or for connecting. */
int ofi_address_info(struct ofi_net *, const char *addr, bool listening, struct fi_info **info);
int ofi_address_name(struct ofi_net *, const struct sockaddr *, char *out); /* ADDR_BYTES */

/* wait.c */
int ofi_cq_open(struct ofi_net *, struct fid_domain *, struct ofi_cq *);
void ofi_cq_close(struct ofi_cq *);
int ofi_eq_open(struct ofi_net *, struct ofi_eq *);
void ofi_eq_close(struct ofi_eq *);
/* The endpoint is bound and enabled; eq may be NULL. */
int ofi_ep_open(struct fid_domain *, struct fi_info *, struct fid_eq *, struct fid_cq *, void *context,
		struct fid_ep **);
void ofi_fid_close(struct fid *);			 /* NULL is fine; what cannot be closed is logged */
bool ofi_cq_may_wait(struct ofi_net *, struct ofi_cq *); /* else there is something to take already */
bool ofi_eq_may_wait(struct ofi_net *, struct ofi_eq *);
/* Wait for the outcome of a connect: 0, -ETIMEDOUT, -ECONNREFUSED, ... */
int ofi_connected(struct ofi_net *, struct ofi_eq *, uint64_t deadline_ns);
int ofi_eq_outcome(struct fid_eq *); /* of a connect without waiting: 0, -EAGAIN, or why it failed */

/* event.c */
int ofi_events_open(struct ofi_net *);
void ofi_events_close(struct ofi_net *);
void ofi_events_lanes(struct ofi_net *);		      /* only those of our lanes; the loop gets the others */
void ofi_events_forget(struct ofi_net *, const struct fid *); /* before it is closed */

/* listen.c */
int ofi_listen(struct net *, const char *addr, void (*accepted)(void *, struct net_conn *), void *arg,
	       struct net_listener **out);
const char *ofi_listener_addr(const struct net_listener *);
void ofi_listener_close(struct net_listener *);
void ofi_request(struct ofi_net *, struct ofi_listener *, struct fi_info *, const struct ofi_hello *, size_t len);
void ofi_accepted(struct ofi_conn *); /* hand it out */

/* connect.c */
int ofi_connect(struct net *, const char *addr, uint32_t timeout_ms, struct net_conn **out);
int ofi_connect_begin(struct net *, const struct net_peer *whom, const char *addr, uint32_t timeout_ms,
		      struct net_connecting **out);
void ofi_connect_cancel(struct net_connecting *);

/* conn.c */
int ofi_conn_new(struct ofi_net *, struct fi_info *, bool active, struct ofi_conn **out);
int ofi_conn_start(struct net_conn *);
void ofi_conn_close(struct net_conn *);
void ofi_conn_peer(const struct net_conn *, struct net_peer *);
int ofi_conn_fd(const struct net_conn *);
void ofi_conn_kill(struct net_conn *);
bool ofi_conn_dead(const struct net_conn *);
int ofi_conn_wait(struct net_conn *, uint64_t deadline_ns);
void ofi_conn_run(struct ofi_conn *); /* with a loop: take and deliver what is there */

/* send.c */
int ofi_send(struct net_conn *, const void *buf, size_t len);
int ofi_send_key(struct ofi_conn *, const struct net_key_body *);		       /* 0, -EAGAIN, -EPIPE, -ENOMEM */
void ofi_send_control(struct ofi_conn *, enum ofi_kind, const void *body, size_t len); /* kills the conn if it cannot */
void ofi_flush(struct ofi_conn *);
bool ofi_tx_room(const struct ofi_conn *);
void ofi_tx_drop(struct ofi_conn *);

/* recv.c */
int ofi_rx_post_all(struct ofi_conn *);
void ofi_conn_progress(struct ofi_conn *); /* take completions: frames of control are done, messages made ready */
long ofi_recv(struct net_conn *, void *buf, size_t len);
void ofi_ready_deliver(struct ofi_conn *); /* the oldest message, to the callback */

/* grant.c */
int ofi_mr_grant(struct net_mr *, struct net_conn *to, unsigned access, struct net_key *);
void ofi_given_close(struct ofi_mr *, unsigned access);
void ofi_tie_close(struct net_tie *);
int ofi_end_accept(struct net_tie *, struct fi_info *);
bool ofi_end_connect(struct ofi_conn *, const struct ofi_lane_body *); /* false: a breach */
void ofi_end_close(struct ofi_end *);

/* region.c */
int ofi_pd_open(struct net *, struct net_pd **out);
void ofi_pd_close(struct net_pd *);
int ofi_mr_alloc(struct net_pd *, uint64_t bytes, bool mapped, struct net_mr **out);
void *ofi_mr_addr(const struct net_mr *);
int ofi_mr_fd(const struct net_mr *);
int ofi_mr_register(struct ofi_mr *, unsigned access); /* makes the keys that are missing */
int ofi_mr_seal(struct net_mr *);
bool ofi_mr_sealed(const struct net_mr *);
int ofi_mr_share(struct net_mr *, struct net_pd *to, struct net_mr **out);
void ofi_mr_free(struct net_mr *);

/* lane.c */
struct ofi_lane *ofi_lane_get(struct ofi_data *, const uint64_t token[2]);
void ofi_lane_submit(struct ofi_lane *, struct ofi_xfer *);
void ofi_lane_run(struct ofi_lane *);
void ofi_lane_fail(struct ofi_lane *, int err); /* all that it holds */
void ofi_lane_close(struct ofi_lane *);
struct ofi_lane *ofi_lane_waiting(struct ofi_net *, const uint64_t secret[2]);
int ofi_lane_accept(struct ofi_lane *, struct fi_info *);
void ofi_lane_event(struct ofi_lane *, bool up);

/* transfer.c */
int ofi_data_open(struct net_conn *, enum net_class, struct net_data **out);
void ofi_data_close(struct net_data *);
int ofi_remote_open(struct net_conn *, const struct net_key *, uint64_t bytes, struct net_remote **out);
int ofi_read(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n, uint64_t total,
	     uint64_t cookie);
int ofi_write(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n, uint64_t total,
	      uint64_t cookie);
int ofi_data_poll(struct net_data *, struct net_completion *, int n);
int ofi_data_wait(struct net_data *, uint64_t deadline_ns);
void ofi_xfer_done(struct ofi_data *, struct ofi_xfer *, int err);
void ofi_data_run(struct ofi_data *); /* take what its lanes have */

/* watch.c: on the loop */
int ofi_data_start(struct net_data *);
void ofi_data_tell(struct ofi_data *);	  /* a transfer has ended */
void ofi_data_settle(struct ofi_data *);  /* before the loop sleeps */
void ofi_lane_watch(struct ofi_lane *);	  /* its state has changed */
void ofi_lane_unwatch(struct ofi_lane *); /* before its descriptors are closed */

#endif
