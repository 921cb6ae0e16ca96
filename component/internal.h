/* Insides of component/: the joining object. */
#ifndef ASHLAR_COMPONENT_INTERNAL_H
#define ASHLAR_COMPONENT_INTERNAL_H
#include <stdbool.h>
#include <sys/types.h>
#include "ashlar/base/loop.h"
#include "ashlar/base/secret.h"
#include "ashlar/component.h"

#define JOIN_CONNECT_MS 1000u  /* one attempt to reach the gmm */
#define JOIN_BACKOFF_MS_MIN 1u /* between attempts of the first join: the gmm may be starting beside us */
#define JOIN_BACKOFF_MS_MAX 50u
#define REJOIN_MS 1000u /* between attempts after the gmm was lost */

/*
 * States of joining:
 *   gmm NULL                 waiting for the timer `retry`, or, with `connecting`, for the connection
 *   gmm set, joined false    connected, X2G_JOIN under way
 *   gmm set, joined true     joined: the timer `beat` runs
 */
struct component {
	struct loop *loop;
	struct net *net;
	const struct component_ops *ops;
	void *ctx;
	struct component_config config;
	struct net_listener *listener;
	struct rpc_counters counters;

	struct net_connecting *connecting;
	struct rpc *gmm;
	bool joined, ever_joined;
	bool lost;		       /* was joined; the log hears of it when a first attempt to join again fails */
	bool beat_pending, beat_again; /* one heartbeat at a time; one more when it is answered */
	uint32_t id, heartbeat_ms, backoff_ms;
	uint64_t give_up_ns;
	struct loop_timer retry, beat;
	void (*failed)(void *arg, int err);
	void *failed_arg;
};

/* join.c */
void join_begin(struct component *);
void join_end(struct component *);

/* serve.c: what the gmm asks of us */
extern const struct rpc_service component_gmm_service;

/* join.c, called by serve.c: the gmm's connection ended */
void join_lost(struct component *, int err);

/* orphans.c: children of a monitor that is process 1 of its machine. */
struct orphans {
	struct loop *loop;
	bool (*own)(void *ctx, pid_t pid); /* somebody here waits for it; NULL: nobody does for any */
	void *ctx;
	struct loop_timer again;
};
bool orphans_come(void);
void orphans_open(struct orphans *, struct loop *, bool (*own)(void *ctx, pid_t pid), void *ctx);
/* A child has ended: wait for all that nobody else waits for. */
void orphans_wait(struct orphans *);
void orphans_close(struct orphans *);

/* options.c */
struct component_args {
	struct component_config config;
	char fabric[NAME_BYTES];
	char hook[HOOK_BYTES]; /* empty: none */
	bool has_secret;
	struct secret secret;
	int log_level;
	const char *log_file;	   /* NULL: stderr */
	int lifeline_fd, ready_fd; /* -1: none */
};
/* 0: go on; 1: --help was printed; -EINVAL after one line on stderr. */
int component_options(int argc, char **argv, const struct component_program *, void *ctx, struct component_args *);

#endif
