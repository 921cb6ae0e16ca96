/*
 * What a provider of net offers, and what it may leave to the core.
 *
 * Every object that net.h hands out begins with a base struct of this header; a provider embeds it as the first member
 * of its own. The core finds the provider by base.net->ops and calls the slot. Slots are never NULL but for those that
 * say what NULL means. The core has
 * checked pointers-and-lengths part of the contract (stated at each slot), counts messages, transfers and failures,
 * and builds the synchronous calls from the asynchronous ones. A wrapper (trace, delay, error) is a provider whose
 * objects hold inner objects and which calls net.h's own functions on them. base.net is set by the provider for
 * connections and listeners (it makes them outside of calls too), by the core for everything else.
 *
 * Threads: open, listen, connect and everything of one connection belong to one thread at a time. read, write and poll
 * are called by the owner of the net_data while other threads use the same net_remote. conn_kill, conn_dead: any thread.
 */
#ifndef ASHLAR_NET_CORE_PROVIDER_H
#define ASHLAR_NET_CORE_PROVIDER_H
#include "ashlar/base/list.h"
#include "ashlar/net.h"

struct net_provider;

struct net {
	const struct net_provider *ops;
	char name[NAME_BYTES]; /* the whole name, as net_open got it */
	struct net_options opt;
	struct net_stats stats;
};
struct net_listener {
	struct net *net;
};
struct net_conn {
	struct net *net;
	const struct net_conn_events *events; /* NULL until set */
	void *arg;
};
/* A connection that is being made. */
struct net_connecting {
	struct net *net;
	net_connected_fn *done;
	void *arg;
};
struct net_pd {
	struct net *net;
};
struct net_mr {
	struct net *net;
	uint64_t bytes;
	struct list same; /* all regions of the same memory (net_mr_share), in a ring */
};
struct net_data {
	struct net *net;
	enum net_class class;
	void (*ready)(void *arg); /* NULL until set */
	void *ready_arg;
	uint64_t sync_cookies; /* given to synchronous transfers; the provider leaves it alone */
};
struct net_remote {
	struct net *net;
	uint64_t bytes;
};

struct net_provider {
	const char *name;
	bool local_any; /* transfers take any local memory, net_sge.mr may be NULL */

	/* arg: what follows the provider's name and a colon, else "". *out has its base zeroed; the core fills it in. */
	int (*open)(const char *arg, const struct net_options *, struct net **out);
	void (*close)(struct net *);

	/* The net has a loop. accepted() is called on it. */
	int (*listen)(struct net *, const char *addr, void (*accepted)(void *, struct net_conn *), void *arg,
		      struct net_listener **out);
	const char *(*listener_addr)(const struct net_listener *);
	void (*listener_close)(struct net_listener *);

	int (*connect)(struct net *, const char *addr, uint32_t timeout_ms, struct net_conn **out);
	/*
	 * whom: see net_connect_for; NULL: for ourselves. Both NULL: connect never waits, and serves for this too. The core fills in the base of *out. At the end the
	 * provider takes done and arg out of it, frees the object and calls done, on the loop.
	 */
	int (*connect_begin)(struct net *, const struct net_peer *whom, const char *addr, uint32_t timeout_ms,
			     struct net_connecting **out);
	void (*connect_cancel)(struct net_connecting *);
	void (*conn_close)(struct net_conn *);
	/* events and arg are in the base already; start to deliver. Messages go through net_conn_deliver. */
	int (*conn_start)(struct net_conn *);
	void (*conn_peer)(const struct net_conn *, struct net_peer *);
	int (*conn_groups)(const struct net_conn *, uint32_t *groups, uint32_t max); /* NULL: it cannot tell */
	/* 1 <= len <= MSG_BYTES_MAX */
	int (*send)(struct net_conn *, const void *buf, size_t len);
	long (*recv)(struct net_conn *, void *buf, size_t len);
	int (*conn_wait)(struct net_conn *, uint64_t deadline_ns);
	int (*conn_fd)(const struct net_conn *);
	void (*conn_kill)(struct net_conn *);
	bool (*conn_dead)(const struct net_conn *);

	int (*pd_open)(struct net *, struct net_pd **out);
	void (*pd_close)(struct net_pd *);
	/* bytes is a positive multiple of PAGE_BYTES; the core sets base.bytes. */
	int (*mr_alloc)(struct net_pd *, uint64_t bytes, bool mapped, struct net_mr **out);
	void *(*mr_addr)(const struct net_mr *);
	int (*mr_fd)(const struct net_mr *);
	/* access has NET_READ, NET_WRITE or both and nothing else. */
	int (*mr_grant)(struct net_mr *, struct net_conn *to, unsigned access, struct net_key *key);
	int (*mr_seal)(struct net_mr *);
	bool (*mr_sealed)(const struct net_mr *);
	/* mr is sealed; base.same is the core's to set. The memory goes with the one of which net_mr_last says so. */
	int (*mr_share)(struct net_mr *, struct net_pd *to, struct net_mr **out);
	void (*mr_free)(struct net_mr *);

	int (*data_open)(struct net_conn *, enum net_class, struct net_data **out);
	void (*data_close)(struct net_data *);
	/* base.ready is set already: call it from the loop. NULL: every transfer ends inside its own call. */
	int (*data_start)(struct net_data *);
	/* bytes > 0; the core sets base.bytes. */
	int (*remote_open)(struct net_conn *, const struct net_key *, uint64_t bytes, struct net_remote **out);
	void (*remote_close)(struct net_remote *);
	/* 1 <= n <= NET_SGE_MAX, total = sum of the pieces > 0, off + total <= remote's bytes, pieces have an address. */
	int (*read)(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n,
		    uint64_t total, uint64_t cookie);
	int (*write)(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n,
		     uint64_t total, uint64_t cookie);
	int (*data_poll)(struct net_data *, struct net_completion *, int n);
	int (*data_wait)(struct net_data *, uint64_t deadline_ns);
};

/* Counters are shared by threads; nobody orders anything by them. */
static inline void net_count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* For providers, when a region is freed: no other region has its memory. */
bool net_mr_last(struct net_mr *);

/* For providers with a loop: count a message and hand it up. The callee may close the connection. */
void net_conn_deliver(struct net_conn *, const void *buf, size_t len);

/* What net_open finds in this program, ended by NULL: net/table/ has one for each kind of program. */
extern const struct net_provider *const net_providers[];

extern const struct net_provider net_provider_local;
extern const struct net_provider net_provider_relay;
extern const struct net_provider net_provider_ofi;
extern const struct net_provider net_provider_verbs;

#endif
