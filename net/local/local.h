/*
 * Provider `local`: one machine, no device. Messages are seqpacket datagrams between Unix sockets; a region is a memfd
 * of its owner; a key is that descriptor, passed ahead of the message that names it, on the same connection; transfers
 * are pread and pwrite. It guards against error, not against malice between processes of one user: whoever holds a
 * descriptor may reopen it for writing through /proc (docs/security).
 *
 *   address.c  names of sockets        conn.c   life of a connection, events       region.c    memfds, sealing
 *   listen.c   accepting               send.c   sending, queue                     keys.c      descriptors not yet taken up
 *   connect.c  connecting              recv.c   receiving, checks of ancillary     transfer.c  one-sided
 *   open.c     the table of slots      fd.c     descriptor numbers           users.c     whose connections how many are
 *
 * Every datagram begins with struct local_frame. Descriptors of the provider are close-on-exec and lie at or above
 * net_options.fd_floor; one that arrives is moved there at once.
 */
#ifndef ASHLAR_NET_LOCAL_LOCAL_H
#define ASHLAR_NET_LOCAL_LOCAL_H
#include <sys/socket.h>
#include <sys/un.h>
#include "ashlar/base/list.h"
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "net/core/provider.h"
#include "net/local/socket.h"

#define LOCAL_KEYS_MAX (2 * RPC_CREDITS)    /* keys of one connection that wait to be taken up */
#define LOCAL_KEYS_ACCEPTED 8u		    /* the same, of a connection that came to us: a process grants few */
#define LOCAL_TX_BYTES_MAX (256u << 10)	    /* messages queued behind a full socket */
#define LOCAL_TX_KEYS_MAX (2 * RPC_CREDITS) /* keys queued behind a full socket */
#define LOCAL_ROUND_MAX 32u		    /* frames or connections taken before others get their turn */
#define LOCAL_CQ_MAX 256u		    /* completions of one net_data that wait to be taken */
#define LOCAL_BACKLOG 1024
#define LOCAL_FULL_MS 100u  /* pause of a listener that is out of descriptors */
#define LOCAL_FD_RESERVE 8u /* one of so many descriptors is for those who are connected, not for newcomers */

enum local_kind { LOCAL_MESSAGE = 0x4d4c, LOCAL_KEY = 0x4b4c };

struct local_frame {
	uint32_t kind;	 /* enum local_kind; a message follows behind the frame, behind a key nothing */
	uint32_t access; /* key: enum net_access; message: 0 */
	uint64_t id[2];	 /* key: random name; message: 0 */
	uint64_t bytes;	 /* key: size of the region; message: 0 */
};
_Static_assert(sizeof(struct local_frame) == 32, "local frame has 32 bytes");

/*
 * What transfers must know of a connection, outliving it: shared by the connection, its net_datas and its remotes.
 * refs and dead are atomic.
 */
struct local_life {
	int refs;
	bool dead;
};

/* Connections that a user has to us; only those of users whose number is bounded are counted. */
struct local_user {
	struct list link;
	uint32_t uid, conns;
};

struct local_net {
	struct net base;
	uint32_t conns;						/* atomic */
	struct list users;					/* struct local_user */
	uint8_t rx[MSG_BYTES_MAX] __attribute__((aligned(16))); /* loop use: the message being delivered */
};

/* A key that has arrived and waits for net_remote_open. */
struct local_key {
	uint64_t id[2], bytes;
	uint32_t access;
	int fd;
};

/* A frame behind a full socket. */
struct local_tx {
	struct list link;
	struct local_frame frame;
	int fd; /* -1: none */
	uint32_t len;
	uint8_t data[];
};

struct local_conn {
	struct net_conn base;
	int fd;
	struct local_life *life;
	struct net_peer peer;
	struct list tx;
	uint32_t tx_bytes, tx_keys; /* queued in tx */
	bool tx_refused;	    /* -EAGAIN was said: writable() is owed, or a wait for room */
	bool started, polls_out;    /* in the loop; with EPOLLOUT */
	bool busy, closing;	    /* inside conn_event; closed in there */
	bool ended;		    /* closed() was called */
	bool reset_seen;
	struct local_user *user; /* whose share this takes up; NULL: nobody's */
	unsigned n_keys, keys_max;
	struct local_key *keys; /* oldest first; allocated with the first */
};

struct local_listener {
	struct net_listener base;
	int fd;
	void (*accepted)(void *, struct net_conn *);
	void *arg;
	bool busy, closing, full_logged;
	struct loop_timer full;
	uint64_t dev, ino; /* of the socket file; 0: none */
	char addr[ADDR_BYTES];
};

struct local_pd {
	struct net_pd base;
	uint32_t regions;
};

struct local_mr {
	struct net_mr base;
	struct local_pd *pd;
	int fd; /* common to all that share the memory */
	void *addr;
	bool sealed;
};

struct local_data {
	struct net_data base;
	struct local_life *life;
	uint32_t first, count; /* ring of completions */
	struct net_completion cq[LOCAL_CQ_MAX];
};

struct local_remote {
	struct net_remote base;
	struct local_life *life;
	int fd;
	uint32_t access;
};

static inline bool life_dead(const struct local_life *life)
{
	return __atomic_load_n(&life->dead, __ATOMIC_ACQUIRE);
}

/* address.c: 0 or -EINVAL; *len for bind and connect. "auto" is resolved into addr (ADDR_BYTES) first. */
int local_address_auto(const char *addr, char *out);
int local_address_parse(const char *addr, struct sockaddr_un *sa, socklen_t *len);

/* connect.c: who is at the other end of fd; -EACCES unless the same user, or root on either side. */
int local_peer_check(int fd, struct net_peer *peer);
int local_connect(struct net *, const char *addr, uint32_t timeout_ms, struct net_conn **out);

/* listen.c */
int local_listen(struct net *, const char *addr, void (*accepted)(void *, struct net_conn *), void *arg,
		 struct net_listener **out);
const char *local_listener_addr(const struct net_listener *);
void local_listener_close(struct net_listener *);

/* conn.c: local_conn_new takes over fd, also when it fails. */
int local_conn_new(struct net *, int fd, const struct net_peer *, struct local_conn **out);
int local_conn_start(struct net_conn *);
void local_conn_close(struct net_conn *);
void local_conn_peer(const struct net_conn *, struct net_peer *);
int local_conn_groups(const struct net_conn *, uint32_t *groups, uint32_t max);
int local_conn_fd(const struct net_conn *);
void local_conn_kill(struct net_conn *);
bool local_conn_dead(const struct net_conn *);
int local_conn_wait(struct net_conn *, uint64_t deadline_ns);
void local_conn_poll_out(struct local_conn *); /* EPOLLOUT on or off as the queue asks */
struct local_life *local_life_get(struct local_life *);
void local_life_put(struct local_life *);

/* users.c: take a connection of the user's share, for accepted ones. -EUSERS: he has them all. */
int local_user_take(struct local_conn *);
void local_user_put(struct local_conn *);

/* send.c */
int local_send(struct net_conn *, const void *buf, size_t len);
int local_send_key(struct local_conn *, const struct local_frame *, int fd); /* fd stays the caller's */
int local_flush(struct local_conn *);					     /* 0, -EAGAIN, -EPIPE */
void local_tx_drop(struct local_conn *);

/* recv.c: length of the next message, -EAGAIN, -EMSGSIZE, -EPIPE (end), -EPROTO (breach: close it). Takes up keys. */
long local_recv(struct net_conn *, void *buf, size_t len);

/* keys.c: local_keys_add owns fd from the call on. */
int local_keys_add(struct local_conn *, const struct local_frame *, int fd);
int local_keys_take(struct local_conn *, const struct net_key *, uint64_t bytes, struct local_key *out);
void local_keys_drop(struct local_conn *);

/* region.c */
int local_pd_open(struct net *, struct net_pd **out);
void local_pd_close(struct net_pd *);
int local_mr_alloc(struct net_pd *, uint64_t bytes, bool mapped, struct net_mr **out);
void *local_mr_addr(const struct net_mr *);
int local_mr_fd(const struct net_mr *);
int local_mr_grant(struct net_mr *, struct net_conn *to, unsigned access, struct net_key *);
int local_mr_seal(struct net_mr *);
bool local_mr_sealed(const struct net_mr *);
int local_mr_share(struct net_mr *, struct net_pd *to, struct net_mr **out);
void local_mr_free(struct net_mr *);

/* transfer.c */
int local_data_open(struct net_conn *, enum net_class, struct net_data **out);
void local_data_close(struct net_data *);
int local_remote_open(struct net_conn *, const struct net_key *, uint64_t bytes, struct net_remote **out);
void local_remote_close(struct net_remote *);
int local_read(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n, uint64_t total,
	       uint64_t cookie);
int local_write(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n,
		uint64_t total, uint64_t cookie);
int local_data_poll(struct net_data *, struct net_completion *, int n);
int local_data_wait(struct net_data *, uint64_t deadline_ns);

#endif
