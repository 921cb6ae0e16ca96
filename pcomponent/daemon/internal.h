/*
 * Insides of the node daemon. A process here is, in this order:
 *   admitted   by the gmm; forgotten when no command announces it in time
 *   announced  a command holds its life line; nothing runs yet, or its dispatcher is on its way
 *   guarded    its dispatcher came (D2P_HELLO): its pidfd is watched, its memory components are asked to watch us
 *   running    all of them answered, the dispatcher has its placement
 * The end, from whichever state and side, is dprocess_end().
 */
#ifndef PCOMPONENT_DAEMON_INTERNAL_H
#define PCOMPONENT_DAEMON_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/list.h"
#include "ashlar/base/loop.h"
#include "component/peers.h"
#include "pcomponent/daemon/daemon.h"

#define ANNOUNCE_MS 10000u	/* admitted and not announced: the command is gone */
#define GUARD_CONNECT_MS 200u	/* reaching one memory component may hold the loop for so long */
#define GUARD_DEADLINE_MS 5000u /* its answer */

struct daemon {
	struct loop *loop;
	struct net *net;
	const struct daemon_host *host;
	struct component *component;
	struct rpc_counters *counters;
	uint64_t excache_bytes, excache_promised; /* promised: budgets that were asked for by size */
	struct list processes;
	struct peers peers;
	uint32_t n_processes;
};

/* A connection to our listener: a command's or a dispatcher's, or not known yet. */
struct dpeer {
	struct peer_base base;
	struct daemon *d;
	struct dprocess *process;
};

/* Our connection to one memory component of a process: when it closes there, the process is over. */
struct dguard {
	struct dprocess *process;
	struct rpc *rpc; /* NULL: not connected, or that component is gone */
};

struct dprocess {
	struct list link;
	struct daemon *d;
	uint32_t pid, uid;
	struct cap cap;
	uint64_t budget_bytes, promised_bytes;
	struct placement_part parts[PROCESS_MEMORY_MAX + 1]; /* storage, then memory */
	uint32_t n_memory;
	struct dguard guard[PROCESS_MEMORY_MAX];
	unsigned guards_pending;
	int guard_err;
	struct rpc_request *hello; /* answered when all guards are up */
	struct dpeer *command, *dispatcher;
	int host_fd; /* pidfd, -1: none yet */
	struct loop_timer announce;
};

/* process.c */
struct dprocess *dprocess_find(struct daemon *, uint32_t pid);
/* Watch the process of this machine that is at the other end of the dispatcher's connection. */
int dprocess_watch(struct dprocess *, int32_t host_pid);
/*
 * The process is over: kill what runs, drop guards and connections, tell the gmm unless it said so itself. why: for the
 * log. p is freed.
 */
void dprocess_end(struct dprocess *, const char *why, bool tell);

/* guard.c */
/* Connect to the memory components. 0: guard_done comes for each; -errno: none will. */
int guards_begin(struct dprocess *);
void guards_end(struct dprocess *);

/* serve.c */
extern const struct rpc_service daemon_service;
void dprocess_admit_dispatcher(struct dprocess *); /* guards are up, or failed: answer the dispatcher */

#endif
