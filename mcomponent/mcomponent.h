/*
 * Memory monitor: owns frames, lends them to processes as slabs, keeps a copy of their page maps.
 *
 * It is an object over struct loop, struct net and rpc, with no clock, randomness or socket of its own, so that a
 * simulated rack can hold many of them in one process. One thread; nothing blocks.
 */
#ifndef MCOMPONENT_MCOMPONENT_H
#define MCOMPONENT_MCOMPONENT_H
#include "ashlar/component.h"

struct mcomponent;

struct mcomponent_config {
	struct loop *loop;
	struct net *net;
	uint64_t bytes;		       /* declared size; whole pages */
	struct rpc_counters *counters; /* of its connections */
	/* A process came, went or gave all back: somebody may want to hear of the load. May be NULL. */
	void (*changed)(void *arg);
	void *changed_arg;
};

int mcomponent_open(const struct mcomponent_config *, struct mcomponent **out);
void mcomponent_close(struct mcomponent *); /* closes every connection, releases everything */

/* Its side of struct component: ctx is the struct mcomponent. */
void mcomponent_accepted(void *ctx, struct net_conn *);
int mcomponent_admit(void *ctx, const struct g2x_admit_req *, const struct placement_part *, uint32_t n_parts);
uint64_t mcomponent_revoke(void *ctx, uint32_t pid);
void mcomponent_load(void *ctx, struct x2g_beat_req *);
void mcomponent_usage(void *ctx, const uint32_t *pids, uint32_t n, struct process_usage *rows);
void mcomponent_gmm_lost(void *ctx);

/* What a test may ask. */
struct mcomponent_stat {
	uint64_t bytes, granted_bytes, promised_bytes;
	uint64_t refused; /* requests without the right capability */
	uint32_t processes, connections;
};
void mcomponent_stat(const struct mcomponent *, struct mcomponent_stat *);

#endif
