/*
 * net: the fabric, shaped by what RDMA verbs can do. Providers:
 *  - local    one machine, no device (net/local);
 *  - verbs    RDMA devices by libibverbs and librdmacm (net/verbs);
 *  - ofi:PROV libfabric with its provider PROV, "ofi" alone is ofi:tcp (net/ofi); not in the dispatcher;
 *  - relay    what a dispatcher or command uses on a rack whose fabric is not local: the node daemon of its machine holds
 *             the endpoints and keys, and serves it over `local` (net/relay);
 *  - sim      a simulated fabric with virtual time, opened by tests only (net/sim).
 * Wrappers (net/hook) stand in front of any of them: net_options.hook.
 *
 * Two kinds of traffic on separate connections, so that losing one does not take the other with it:
 *  - messages (struct net_conn): reliable, ordered, framed, both ways; at most MSG_BYTES_MAX bytes each;
 *  - one-sided transfers (struct net_data): read and write of registered memory of the peer, by key, without the peer.
 *
 * Identity is proved by messages first (see rpc.h and proto/); only then does the owner of memory grant a key.
 * A key reaches one memory region; a region lies in one protection domain (struct net_pd), one per process served.
 *
 * Lifetime of a key, owner's side:   net_mr_alloc -> net_mr_grant(conn) -> [net_mr_seal: writing ends] -> net_mr_free.
 * Peer's side:                       net_key (from a message) -> net_remote_open -> net_read/net_write -> net_remote_close.
 *
 * All functions return 0 (or a count) or -errno. -EPIPE: the connection or its peer is gone. Nothing here is
 * thread-safe but for what says so. Nothing blocks but net_connect, net_data_wait and net_conn_wait.
 */
#ifndef ASHLAR_NET_H
#define ASHLAR_NET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ashlar/base/limits.h"

struct loop;
struct secret;
struct net;
struct net_listener;
struct net_conn;
struct net_connecting;
struct net_pd;
struct net_mr;
struct net_data;
struct net_remote;

/* What it points to must live for the length of net_open only. */
struct net_options {
	struct loop *loop;	     /* NULL: synchronous use (net_conn_wait), no callbacks */
	int fd_floor;		     /* descriptors of the provider are moved to this number and above; 0: anywhere */
	const char *relay;	     /* provider "relay": address of the node daemon's relay, "local:..." */
	const struct secret *secret; /* the rack's key; NULL: none. On fabrics that know their peers it is not used */
	const char *hook; /* wrappers in front of the provider (net/hook/hook.h says how they are named); NULL: none */
};

/*
 * Classes of traffic, most urgent first. Whatever queues traffic (a provider, a relay, a monitor) serves a class only
 * while nothing of a more urgent one waits; it lets a little of the others through all the same, so that none starves.
 */
enum net_class {
	NET_DEMAND,	/* somebody waits: misses, synchronous calls */
	NET_BACKGROUND, /* write-back, prefetch, page map batches */
	NET_REPAIR,	/* re-replication, drain, scrub */
	NET_CLASSES
};

/* Counters of one opened fabric; updated atomically (relaxed). */
struct net_stats {
	uint64_t msgs_tx, msgs_rx, reads, read_bytes, writes, write_bytes, failures;
};

/*
 * Open a fabric by its name, "PROVIDER" or "PROVIDER:ARGUMENT". -ENOENT: no such provider in this program; -ENODEV: not
 * on this machine; -EINVAL: the argument or an option is wrong. Why it failed is in the log.
 */
int net_open(const char *fabric, const struct net_options *, struct net **out);
bool net_fabric_known(const char *fabric); /* this program has its provider; whether it works here is another matter */
void net_close(struct net *);
const struct net_stats *net_stats(const struct net *);
const char *net_fabric_name(const struct net *); /* as net_open got it */

/* ---- messages ------------------------------------------------------------------------------------------------- */

/* Who is at the other end, as far as the provider can tell without trusting it. */
struct net_peer {
	bool known;	   /* false where the fabric cannot tell */
	bool stranger;	   /* we have the rack's key (net_options.secret), and it has not shown that it has */
	uint32_t uid, gid; /* of the peer's process; on another machine: as the peer, which has the key, says */
	int32_t host_pid;  /* on its machine */
};

struct net_conn_events {
	/* A message has arrived. buf is the provider's and valid during the call. */
	void (*message)(void *arg, const void *buf, size_t len);
	/* The connection ended (once; no event follows). The callee may net_conn_close it in here. */
	void (*closed)(void *arg, int err);
	/* After net_send said -EAGAIN: room again. */
	void (*writable)(void *arg);
};

/*
 * Addresses begin with the name of their fabric: "local:/path/of/socket", "local:@name" (abstract: leaves no file),
 * "ofi:tcp:HOST:PORT", "verbs:HOST:PORT" (HOST of IPv6 in brackets; of verbs a number). An address that ends in ":auto"
 * ("local:auto", "ofi:tcp:HOST:auto", "ofi:tcp:auto" for the loopback, "verbs:auto" for the device's own) lets the provider choose; net_listener_addr tells what it chose. An address of
 * another fabric is -EINVAL.
 */
int net_listen(struct net *, const char *addr, void (*accepted)(void *arg, struct net_conn *), void *arg,
	       struct net_listener **out);
const char *net_listener_addr(const struct net_listener *);
void net_listener_close(struct net_listener *); /* removes the socket file if it made one */

/* Is addr an address of the fabric of this name (not: of another one)? */
bool net_address_fits(const char *fabric, const char *addr);

/* Connect within timeout_ms. -ECONNREFUSED/-ENOENT: nobody there; -ETIMEDOUT; -EINVAL: bad address. */
int net_connect(struct net *, const char *addr, uint32_t timeout_ms, struct net_conn **out);

/*
 * Loop use: the same without holding the loop. done comes once, from the loop and never from inside this call, with the
 * connection (the callee's; net_conn_set_events is called in there) or with net_connect's error and NULL. *out is valid
 * until then, or until net_connect_cancel: done is not called any more. -errno: done will not be called.
 */
typedef void net_connected_fn(void *arg, int err, struct net_conn *);
int net_connect_begin(struct net *, const char *addr, uint32_t timeout_ms, net_connected_fn *done, void *arg,
		      struct net_connecting **out);
/*
 * The same for a process of this machine, whom we vouch for: where the fabric tells what we say of ourselves, the peer
 * gets to know whom and not us. For those that are relayed.
 */
int net_connect_for(struct net *, const struct net_peer *whom, const char *addr, uint32_t timeout_ms,
		    net_connected_fn *done, void *arg, struct net_connecting **out);
void net_connect_cancel(struct net_connecting *);

void net_conn_close(struct net_conn *); /* no event follows; remotes opened through it fail from now on */

/*
 * Loop use: register callbacks. Must be called, once, right after net_connect or inside accepted(). -errno: no event
 * will come, the caller closes the connection.
 */
int net_conn_set_events(struct net_conn *, const struct net_conn_events *, void *arg);
void net_conn_peer(const struct net_conn *, struct net_peer *);
/*
 * The supplementary groups that the peer's process had when the connection was made: how many, or -errno; -EOPNOTSUPP where
 * the fabric cannot tell, -ERANGE when there are more than max.
 */
int net_conn_groups(const struct net_conn *, uint32_t *groups, uint32_t max);

/* Send one message. -EAGAIN: no room now (writable() follows with a loop); -EMSGSIZE; -EPIPE. Copies buf. */
int net_send(struct net_conn *, const void *buf, size_t len);

/* Synchronous use. Receive one message into buf: its length, -EAGAIN when none is there, -EPIPE at the end. */
long net_recv(struct net_conn *, void *buf, size_t len);
/*
 * Wait until net_recv has something (the end included) or, after net_send said -EAGAIN, there is room again. -ETIMEDOUT:
 * CLOCK_MONOTONIC deadline_ns has passed; -EINTR.
 */
int net_conn_wait(struct net_conn *, uint64_t deadline_ns);
/*
 * A descriptor that polls readable/hung-up with the connection: only for poll(2) and epoll, never to be read. Fabrics that
 * cannot tell a hang-up apart (ofi, verbs) say readable for both; net_recv tells.
 */
int net_conn_fd(const struct net_conn *);
/*
 * Mark the connection dead: every transfer through it fails from now on, also one under way (checked before and after).
 * Thread-safe, async-signal-safe. Called by whoever watches net_conn_fd for a hang-up in synchronous use; with a loop
 * the provider does it itself.
 */
void net_conn_kill(struct net_conn *);
bool net_conn_dead(const struct net_conn *); /* thread-safe */

/* ---- registered memory, owner's side --------------------------------------------------------------------------- */

enum net_access { NET_READ = 1, NET_WRITE = 2 };

/* What travels in a message; opaque to everyone but the provider. */
struct net_key {
	uint64_t w[4];
};

int net_pd_open(struct net *, struct net_pd **out);
void net_pd_close(struct net_pd *); /* all of its regions must be freed */

/*
 * Allocate bytes (multiple of PAGE_BYTES) of registered, zeroed memory. mapped: this process wants to touch it too
 * (net_mr_addr); otherwise it is only ever reached one-sided. -ENOMEM.
 */
int net_mr_alloc(struct net_pd *, uint64_t bytes, bool mapped, struct net_mr **out);
void *net_mr_addr(const struct net_mr *); /* NULL unless mapped */
/* A descriptor of the region's memory, for another process of this component to map; the region's own. -ENOTSUP. */
int net_mr_fd(const struct net_mr *);
/* Give the peer of conn the right to reach the whole region; *key may then be sent to it in a message on conn. */
int net_mr_grant(struct net_mr *, struct net_conn *to, unsigned access, struct net_key *key);
/* Close writing for ever, also through keys granted before: later writes fail (-EACCES), reads go on. */
int net_mr_seal(struct net_mr *);
bool net_mr_sealed(const struct net_mr *);
/*
 * The same memory once more, in another protection domain of the same net: for reading only. mr must be sealed
 * (-EINVAL). Each of the two is freed for itself; the memory goes with the last.
 */
int net_mr_share(struct net_mr *mr, struct net_pd *to, struct net_mr **out);
/* Close all keys and give the memory back. A peer that kept a descriptor sees zeros or an error, never another's data. */
void net_mr_free(struct net_mr *);

/* ---- one-sided transfers, initiator's side ---------------------------------------------------------------------- */

/*
 * A data connection: owned by one thread, with its own completions, for one class of traffic. It reaches the keys that the peer of conn granted.
 * (verbs: a queue pair into the protection domain that the peer tied to this conn after identity was proved.)
 */
int net_data_open(struct net_conn *, enum net_class, struct net_data **out);
void net_data_close(struct net_data *);

/*
 * Take up a key that came in a message on conn, once. bytes: size of the region as the message said. Any thread may use
 * the remote. -EACCES: no such key was granted on this connection (or it was taken up before); -ERANGE: the region is
 * smaller.
 */
int net_remote_open(struct net_conn *, const struct net_key *key, uint64_t bytes, struct net_remote **out);
void net_remote_close(struct net_remote *);

/* Local end of a transfer: registered memory. mr may be NULL where net_local_any says that any memory will do. */
struct net_sge {
	void *addr;
	uint32_t bytes;
	struct net_mr *mr;
};
bool net_local_any(const struct net *);

#define NET_SGE_MAX 64

struct net_completion {
	uint64_t cookie;
	int err; /* 0; -EPIPE peer gone; -EACCES key closed or of no right; -ERANGE outside the region; -EIO other */
};

/*
 * Post a read of (write to) the remote region at byte offset off into (from) the local pieces, which stay the
 * transfer's until its completion. 0, -EAGAIN (queue full: poll first), -EINVAL, -ERANGE, -EPIPE.
 */
int net_read(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n, uint64_t cookie);
int net_write(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n,
	      uint64_t cookie);

/*
 * Loop use: ready() is called on the loop when completions have come that net_data_poll would take. Those of a transfer
 * that ended inside its own call are not told: who posts polls once afterwards. ready() may close the net_data.
 */
int net_data_set_events(struct net_data *, void (*ready)(void *arg), void *arg);
/* Take up to n completions; the number taken, 0 when none is there. */
int net_data_poll(struct net_data *, struct net_completion *, int n);
/* Wait until one is there or deadline_ns has passed (-ETIMEDOUT) or the peer is gone (-EPIPE). */
int net_data_wait(struct net_data *, uint64_t deadline_ns);

/*
 * Post, wait, take: the completion's err, or -ETIMEDOUT: the transfer is then still under way, and the pieces stay its own
 * until net_data_close. Only while nothing else is in flight on this net_data but what timed out.
 */
int net_read_sync(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n,
		  uint64_t deadline_ns);
int net_write_sync(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n,
		   uint64_t deadline_ns);

#endif
