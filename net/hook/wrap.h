/*
 * What the wrappers share: objects that hold inner ones, and functions for every slot of struct net_provider that do
 * nothing but pass on (forward.c). A wrapper's own objects embed these as their first member; it copies the table of
 * forwarding slots and puts its own functions where it has some. Nothing here allocates or locks on the path of a
 * transfer.
 */
#ifndef ASHLAR_NET_HOOK_WRAP_H
#define ASHLAR_NET_HOOK_WRAP_H
#include "ashlar/base/list.h"
#include "net/core/provider.h"
#include "net/hook/hook.h"

struct wrap_net {
	struct net base;
	struct net_provider ops; /* of this very net: local_any is the inner's */
	struct net *inner;
	/* A connection came or was made: its wrapper. addr: connected to, NULL: accepted. -errno: inner is the caller's. */
	int (*conn_new)(struct wrap_net *, struct net_conn *inner, const char *addr, struct net_conn **out);
	/* Before a connection is made: 0, or the error that it fails with. May be NULL. */
	int (*connect_check)(struct wrap_net *);
	/* It was not made. May be NULL. */
	void (*connect_failed)(struct wrap_net *, const char *addr, int err);
};
struct wrap_connecting {
	struct net_connecting base;
	struct net_connecting *inner;
	char addr[ADDR_BYTES];
};
struct wrap_conn {
	struct net_conn base;
	struct net_conn *inner;
};
struct wrap_listener {
	struct net_listener base;
	struct net_listener *inner;
	void (*accepted)(void *, struct net_conn *);
	void *arg;
};
struct wrap_pd {
	struct net_pd base;
	struct net_pd *inner;
};
struct wrap_mr {
	struct net_mr base;
	struct net_mr *inner;
};
struct wrap_data {
	struct net_data base;
	struct net_data *inner;
};
struct wrap_remote {
	struct net_remote base;
	struct net_remote *inner;
};

static inline struct wrap_net *wrap_net(struct net *n)
{
	return container_of(n, struct wrap_net, base);
}
static inline struct wrap_conn *wrap_conn(const struct net_conn *c)
{
	return (struct wrap_conn *)container_of(c, const struct wrap_conn, base);
}
static inline struct wrap_data *wrap_data(struct net_data *d)
{
	return container_of(d, struct wrap_data, base);
}
static inline struct wrap_remote *wrap_remote(struct net_remote *r)
{
	return container_of(r, struct wrap_remote, base);
}

/* All slots forward. Of one net: fill in the base and the inner one. */
void wrap_net_init(struct wrap_net *, struct net *inner);

/* Forwarding functions that wrappers call for what they do not do themselves. */
void wrap_net_close(struct net *);	 /* closes inner, frees */
void wrap_conn_close(struct net_conn *); /* closes inner, frees */

/* Post on inner, with the local pieces as inner knows them. */
int wrap_post(struct net_data *, struct net_remote *, uint64_t off, const struct net_sge *, unsigned n, uint64_t cookie,
	      bool write);

/* A small generator of seeded numbers (xorshift64*); state is never 0. */
static inline uint64_t wrap_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dULL;
}
/* The state for the nth stream of a seed. */
static inline uint64_t wrap_random_seed(uint64_t seed, uint64_t nth)
{
	uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15ULL + nth * 0xbf58476d1ce4e5b9ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ? x : 1;
}

#define WRAP_ONE 1000000000u /* probabilities are in billionths */

static inline bool wrap_chance(uint64_t *state, uint32_t billionths)
{
	return billionths && wrap_random(state) % WRAP_ONE < billionths;
}

/* ---- the wrappers ---- */

struct trace_config {
	const char *file; /* points into the text that was parsed */
	uint64_t rate, bytes;
};
struct emulate_config {
	uint64_t latency_ns, jitter_ns, bandwidth, retransmit_ns, seed; /* bandwidth: bits a second, 0: no limit */
	uint32_t loss;							/* in billionths */
};
enum error_op { ERROR_NONE, ERROR_READ, ERROR_WRITE, ERROR_SEND, ERROR_CONNECT };
struct error_config {
	enum error_op op;
	uint64_t nth, every, seed;
	uint32_t p;
	bool by_chance, cut;
	int err; /* -errno; 0 with cut */
};

/* 0 or -errno, logged. inner stays the caller's until 0. */
int trace_open(const struct trace_config *, struct net *inner, struct net **out);
int emulate_open(const struct emulate_config *, struct net *inner, struct net **out);
int error_open(const struct error_config *, struct net *inner, struct net **out);

/* ---- parse.c ---- */

enum stage_kind { STAGE_TRACE, STAGE_EMULATE, STAGE_ERROR };

struct hook_stages {
	unsigned n;
	struct hook_stage {
		enum stage_kind kind;
		union {
			struct trace_config trace;
			struct emulate_config emulate;
			struct error_config error;
		};
	} stage[HOOK_STAGES_MAX];
	char text[HOOK_BYTES]; /* cut into words */
};

int hook_parse(const char *hook, struct hook_stages *, char *why);

#endif
