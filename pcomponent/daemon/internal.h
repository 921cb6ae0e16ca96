/*
 * Insides of the node daemon. A process here is, in this order:
 *   admitted   by the gmm; forgotten when no command announces it in time
 *   announced  a command holds its life line; nothing runs yet, or its dispatcher is on its way
 *   guarded    its dispatcher came (D2P_HELLO): its pidfd is watched, its memory components are asked to watch us
 *   waiting    all of them answered: now for local memory
 *   running    the dispatcher has its budget and its placement
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
#define GUARD_CONNECT_MS 5000u	/* reaching one memory component */
#define GUARD_DEADLINE_MS 5000u /* its answer */

#define START_BYTES (16UL << 20) /* what a process wants before it has told */
#define SETTLE_MS 250u		 /* between two looks at what was reported, or is waited for */
#define START_WAIT_MS 500u  /* rather than start with less than it wants a process waits so long for others to shrink */
#define HELLO_WAIT_MS 3000u /* without the least part: its dispatcher tells the user, and asks again */
#define HUNGRY_MS 2000u	    /* a process that lately missed pages wants more */
#define SHRINK_WARN_MS 10000u  /* whoever has not shrunk after this is named, */
#define SHRINK_LIMIT_MS 60000u /* and ended after this, unless it is stopped */
#define UNFIT_MS 5000u	       /* one that could not shrink is not asked again for so long */

struct daemon {
	struct loop *loop;
	struct net *net, *relay_net;
	struct relay *relay;	       /* NULL: all programs use the fabric themselves */
	uint32_t n_direct, direct_max; /* processes that do so beside the relay */
	const struct daemon_host *host;
	struct component *component;
	struct rpc_counters *counters;
	uint64_t excache_bytes, excache_promised; /* promised: budgets that were asked for by size */
	const char *dispatcher, *hook;
	struct list processes, starts;
	struct peers peers;
	uint32_t n_processes;
	bool gmm_was_lost; /* the next one knows nothing of our processes */
	struct loop_timer settle;
	bool settle_set;
};

/* A connection to our listener: a command's or a dispatcher's, or not known yet. */
struct dpeer {
	struct peer_base base;
	struct daemon *d;
	struct dprocess *process;
	struct dstart *start; /* a command's: the program that we started for it */
};

/* Our connection to one memory component of a process: when it closes there, the process is over. */
struct dguard {
	struct dprocess *process;
	struct net_connecting *connecting;
	struct rpc *rpc; /* NULL: not connected, or that component is gone */
};

/* What a process has of the ExCache. In force is the larger of granted and asked: the sum never exceeds the ExCache. */
struct budget {
	uint64_t granted, asked; /* asked: D2P_BUDGET is under way; 0: none */
	bool reported, said;	 /* said: named as slow, or as one that cannot shrink */
	uint64_t weight, resident, faults;
	bool registered;
	uint64_t asked_ns, hungry_until_ns, unfit_until_ns, waits_since_ns;
};

struct dprocess {
	struct list link;
	struct daemon *d;
	uint32_t pid, uid, gid, weight;
	struct cap cap;
	uint64_t promised_bytes;
	struct budget budget;
	struct placement_part parts[PROCESS_MEMORY_MAX + 1]; /* storage, then memory */
	uint32_t n_memory;
	struct dguard guard[PROCESS_MEMORY_MAX];
	unsigned guards_pending;
	int guard_err;
	struct rpc_request *hello; /* answered when all guards are up */
	struct dpeer *command, *dispatcher;
	bool guarded; /* all guards are up */
	bool direct;  /* counted in d->n_direct */
	int host_fd;  /* pidfd, -1: none yet */
	int32_t host_pid;
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
/* Connect to the memory components; dprocess_admit_dispatcher is called when all have answered. 0 or -errno. */
int guards_begin(struct dprocess *);
void guards_end(struct dprocess *);

/* budget.c */
void budgets_open(struct daemon *);
/* Look at who has what of the ExCache, delay_ms from now at the latest. */
void budgets_look(struct daemon *, uint32_t delay_ms);
void budget_reported(struct dprocess *, const struct d2p_report_req *);

/* serve.c */
extern const struct rpc_service daemon_service;
void dprocess_admit_dispatcher(struct dprocess *); /* guards are up, or failed */
void dprocess_answer(struct dprocess *, int err);  /* its dispatcher's D2P_HELLO: it runs, or why not */

#endif
