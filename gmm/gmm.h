/*
 * Global resource manager: who is in the rack (membership by heartbeat), which process gets what (placement), and the
 * capabilities by which components know it again. One instance, state in memory. It takes no part in anything that a
 * running process does: no miss ever waits for it.
 *
 * An object over struct loop, struct net and rpc, with no clock, randomness or socket of its own.
 */
#ifndef GMM_GMM_H
#define GMM_GMM_H
#include "ashlar/component.h"

struct gmm;

struct gmm_config {
	struct loop *loop;
	struct net *net;
	const char *placement; /* name of the policy; NULL: the default */
	struct rpc_counters *counters;
};

/* -ENOENT: no such policy. */
int gmm_open(const struct gmm_config *, struct gmm **out);
void gmm_close(struct gmm *); /* closes every connection; tells nobody: what runs goes on */

void gmm_accepted(void *ctx, struct net_conn *); /* ctx: struct gmm */

#endif
