/*
 * Insides of the node daemon. What the gmm admits is a *tree* of processes, in this order:
 *   admitted   by the gmm; forgotten when no command announces it in time
 *   announced  a command holds its life line; nothing runs yet, or its dispatcher is on its way
 *   begun      its first dispatcher came (D2P_HELLO): its pidfd is watched, its memory components are asked to watch us
 *   guarded    all of them answered
 * Its processes are *members*. Member 0 is the program that was placed; it waits for local memory once the tree is guarded,
 * and runs when it has it. The others are
 *   named      by D2P_FORK: they have their part of the local memory, nobody came yet; forgotten after DMEMBER_MS
 *   running    their dispatcher came: answered at once; it did not wait for that
 * A member that becomes another program (exec) stays what it is, with its process, budget and place, under a new number.
 *
 * The end of one, from whichever state and side, is dmember_end(). The tree ends with its last member, with its command,
 * when the gmm says so, and with this daemon: dprocess_end().
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
#define OVER_MAX 64u		 /* trees that are remembered after their end */
#define SETTLE_MS 250u		 /* between two looks at what was reported, or is waited for */
#define START_WAIT_MS 500u  /* rather than start with less than it wants a process waits so long for others to shrink */
#define HELLO_WAIT_MS 3000u /* without the least part: its dispatcher tells the user, and asks again */
#define HUNGRY_MS 2000u	    /* a process that lately missed pages wants more */
#define SHRINK_WARN_MS 10000u  /* whoever has not shrunk after this is named, */
#define SHRINK_LIMIT_MS 60000u /* and ended after this, unless it is stopped */
#define UNFIT_MS 5000u	       /* one that could not shrink is not asked again for so long */
#define HUNGRY_LOOK_MS 20u     /* a member of a tree that lacks memory is looked after this soon, as is what one left */

struct daemon {
	struct loop *loop;
	struct net *net, *relay_net;
	struct relay *relay;	       /* NULL: all programs use the fabric themselves */
	uint32_t n_direct, direct_max; /* members that do so beside the relay */
	const struct daemon_host *host;
	struct component *component;
	struct rpc_counters *counters;
	uint64_t excache_bytes, excache_promised; /* promised: budgets that were asked for by size */
	const char *dispatcher, *hook;
	struct list processes, starts;
	struct peers peers;
	uint32_t n_processes, n_members; /* trees; members of all of them */
	/* Trees that have ended: whose last members come late is told so, and no liar. A ring. */
	struct {
		struct cap cap;
		uint32_t pid;
	} over[OVER_MAX];
	uint32_t n_over;
	bool gmm_was_lost; /* the next one knows nothing of our processes */
	struct loop_timer settle;
	bool settle_set;
};

/* A connection to our listener: a command's or a dispatcher's, or not known yet. */
struct dpeer {
	struct peer_base base;
	struct daemon *d;
	struct dprocess *process; /* a command's */
	struct dmember *member;	  /* a dispatcher's */
	struct dstart *start;	  /* a command's: the program that we started for it */
};

/* Our connection to one component of a tree: when it closes there, the tree is over there. */
struct dguard {
	struct dprocess *process;
	uint32_t part; /* index of dprocess.parts */
	struct net_connecting *connecting;
	struct rpc *rpc; /* NULL: not connected, or that component is gone */
	bool up;	 /* it has answered */
	/* Members that are over and of whom it has not heard (P2M_LEFT, P2S_LEFT), one after another. */
	uint32_t *left, n_left, max_left;
	bool telling;
};

/* What a member has of the ExCache. In force is the larger of granted and asked: the sum never exceeds the ExCache. */
struct budget {
	uint64_t granted, asked; /* asked: D2P_BUDGET is under way; 0: none */
	bool reported, said;	 /* said: named as slow, or as one that cannot shrink */
	uint64_t weight, resident, faults;
	bool registered;
	uint64_t asked_ns, hungry_until_ns, unfit_until_ns, waits_since_ns;
};

struct dmember {
	struct list link;
	struct dprocess *tree;
	uint32_t id;
	struct cap cap;
	struct budget budget;
	struct rpc_request *hello; /* not answered yet; only member 0's waits */
	struct dpeer *dispatcher;  /* NULL: it has not come, or is becoming another program */
	struct dmember *parent;	   /* who named it; NULL: it has come, or the parent has ended */
	uint64_t offered;	   /* of granted: what the parent gets back if it does not come about */
	uint32_t exec_id;	   /* becoming another program, under this number; 0: it is not */
	bool direct, exec_direct;  /* counted in d->n_direct; exec_direct: for the program that it is to be */
	int host_fd;		   /* pidfd, -1: it has not come */
	int32_t host_pid;
	struct loop_timer due; /* for who was named to come */
};

struct dprocess {
	struct list link;
	struct daemon *d;
	uint32_t pid, uid, gid, weight;
	struct cap cap;
	uint64_t promised_bytes;
	struct placement_part parts[PROCESS_MEMORY_MAX + 1]; /* storage, then memory */
	uint32_t n_memory;
	struct dguard guard[PROCESS_MEMORY_MAX + 1]; /* of parts; the storage component's from the first fork on */
	unsigned guards_pending;
	int guard_err;
	struct dpeer *command;
	bool begun, guarded, ending;
	struct list members; /* in the order of their coming to be */
	uint32_t n_members, last_id;
	struct dmember *first; /* the process that was placed; NULL: it has ended */
	struct loop_timer announce;
};

/* process.c */
struct dprocess *dprocess_find(struct daemon *, uint32_t pid);
/*
 * The tree is over: kill what runs, drop guards and connections, tell the gmm unless it said so itself. why: for the log.
 * p is freed.
 */
void dprocess_end(struct dprocess *, const char *why, bool tell);

/* member.c */
struct dmember *dmember_new(struct dprocess *, uint32_t id);  /* NULL: no memory */
struct dmember *dmember_find(struct dprocess *, uint32_t id); /* also by the number that it is to have after exec */
/* Its process is the one of this machine at the other end of the dispatcher's connection: watch it. 0 or -errno. */
int dmember_watch(struct dmember *, int32_t host_pid);
/* That was another's number: watch it no more. */
void dmember_unwatch(struct dmember *);
/* May it use the rack's fabric itself, beside the relay? *has: it is counted for that; it is when the answer is yes. */
bool dmember_direct(const struct dmember *, bool *has);
/* Is it becoming another program? Then it has become that now. */
void dmember_exec(struct dmember *);
/* Its dispatcher's connection has ended. */
void dmember_hung_up(struct dmember *);
/*
 * It is over: its process is killed, what it has of memory is others', the components of the tree are told. With the last
 * one the tree ends. m is freed.
 */
void dmember_end(struct dmember *, const char *why);
/* Part of that: m is out of its tree, which stays as it is. */
void dmember_remove(struct dmember *);

/* fork.c: D2P_FORK and D2P_UNFORK */
rpc_handler_fn fork_begin, fork_undo;

/* guard.c */
/* Connect to the memory components; dprocess_admit_dispatcher is called when all have answered. 0 or -errno. */
int guards_begin(struct dprocess *);
/* To the storage component too, unless it stands: best effort, files that members had are given up all the same later. */
void guard_storage(struct dprocess *);
void guards_left(struct dprocess *, uint32_t member); /* tell all that it is over */
void guards_end(struct dprocess *);

/* budget.c */
void budgets_open(struct daemon *);
/* Look at who has what of the ExCache, delay_ms from now at the latest. */
void budgets_look(struct daemon *, uint32_t delay_ms);
void budget_reported(struct dmember *, const struct d2p_report_req *);
uint64_t budget_in_force(const struct dmember *);
/*
 * The part of a member that is named now: what is free, and of what its parent offers as much as that is less. -EAGAIN: there is not enough;
 * -EBUSY: a change of the parent's is under way. Then nothing has changed.
 */
int budget_fork(struct dmember *parent, uint64_t offer, struct dmember *child);
/*
 * It does not come about: the parent has back what it offered, and the child (NULL: it was to be the parent itself) nothing
 * any more. What the parent may have from now on.
 */
uint64_t budget_unfork(struct dmember *parent, struct dmember *child);

/* serve.c */
extern const struct rpc_service daemon_service;
void dprocess_admit_dispatcher(struct dprocess *); /* guards are up, or failed */
void dmember_answer(struct dmember *, int err);	   /* its dispatcher's D2P_HELLO: it runs, or why not */

#endif
