/*
 * Component: what every monitor does the same way, whatever it offers: listen, join the gmm, send heartbeats, take
 * admissions and revocations, end cleanly. The library is component/; the floor is just above net.
 *
 * Two layers:
 *  - struct component: joining, over struct loop and struct net only, so that a simulated rack can drive it;
 *  - component_main: the process around it: command line, real loop, signals, life line, ready line.
 *
 * When the gmm's connection ends the component serves on what it has and tries to join again once a second: without a
 * gmm nothing new starts, and nothing that runs is disturbed (docs/failure.md).
 */
#ifndef ASHLAR_COMPONENT_H
#define ASHLAR_COMPONENT_H
#include <stdbool.h>
#include <sys/types.h>
#include "ashlar/net.h"
#include "ashlar/rpc.h"

struct component;

/* What the monitor does; all are called on the loop's thread, with the ctx of component_open. NULL: not wanted. */
struct component_ops {
	/*
	 * The component listens at component_addr() and has joined nobody yet: what is to be there before others hear of
	 * it is opened here. -errno, after logging why: it does not start. NULL: nothing.
	 */
	int (*listening)(void *ctx);
	/* Somebody connected to our listener. The callee owns conn (rpc_open takes it over). Required. */
	void (*accepted)(void *ctx, struct net_conn *conn);
	/*
	 * G2X_ADMIT: process req->pid may come with req->cap. parts: what the tail held (processor components: storage
	 * first, then req->n_memory memory components; others: none), strings checked to be terminated.
	 * 0; -EEXIST pid is here already; -ENOMEM cannot be promised; -errno.
	 */
	int (*admit)(void *ctx, const struct g2x_admit_req *req, const struct placement_part *parts, uint32_t n_parts);
	/* G2X_REVOKE: release all that pid has, refuse it from now on. Returns the bytes released; unknown pid: 0. */
	uint64_t (*revoke)(void *ctx, uint32_t pid);
	/* Fill in what the heartbeat reports (zeroed before). */
	void (*load)(void *ctx, struct x2g_beat_req *beat);
	/* G2X_USAGE: fill in a row (zeroed before) for each of n processes; one that is not here stays zero. */
	void (*usage)(void *ctx, const uint32_t *pids, uint32_t n, struct process_usage *rows);
	/* G2X_TREE: at most max rows of pid's tree, from the number above `after` on. How many; -ESRCH. */
	int (*tree)(void *ctx, uint32_t pid, uint32_t after, struct member_row *rows, uint32_t max);
	/* G2X_SIGNAL: the number is checked. 0; -ESRCH; -EAGAIN: its program has not come yet; -errno. */
	int (*signal)(void *ctx, uint32_t pid, int signal);
	/* The gmm is gone (it had been joined). Processes that it admitted and that came stay. */
	void (*gmm_lost)(void *ctx);
	/* Joined (again). */
	void (*joined)(void *ctx);
};

struct component_config {
	enum wire_kind kind;	 /* KIND_GMM: listens, joins nobody */
	uint64_t bytes;		 /* capacity told at join */
	char name[NAME_BYTES];	 /* unique in the rack */
	char domain[NAME_BYTES]; /* failure domain */
	char gmm[ADDR_BYTES];
	char listen[ADDR_BYTES];
	struct net *node; /* where it listens, if not on the net that it joins by; must outlive it */
	uint32_t join_ms; /* the first join is tried for so long, then given up (failed() is called) */
};

/* Make the object; no traffic yet. *out is the caller's (component_close). */
int component_open(struct loop *, struct net *, const struct component_config *, const struct component_ops *,
		   void *ctx, struct component **out);
/* Set the capacity, or the ctx of the ops, where it is known only after component_open. Before component_start. */
void component_set_bytes(struct component *, uint64_t bytes);
void component_set_ctx(struct component *, void *ctx);
/* Listen, then join in the background. failed: the first join failed for good (err), may be NULL. 0 or -errno. */
int component_start(struct component *, void (*failed)(void *arg, int err), void *arg);
void component_close(struct component *);

const char *component_name(const struct component *);
const char *component_addr(const struct component *); /* where it listens; valid after component_start */
struct rpc *component_gmm(const struct component *);  /* the joined connection, NULL while there is none */
uint32_t component_id(const struct component *);      /* in this rack; 0 before the first join */
/* Send a heartbeat now: the load changed in a way that others wait for (a process released its memory). */
void component_beat(struct component *);
/* Counters of the component's own connections: pass to rpc_open for those that `accepted` got. */
struct rpc_counters *component_counters(struct component *);

/* ---- the process ------------------------------------------------------------------------------------------------ */

/*
 * An option of this monitor alone. set: 0, or -errno: component_main prints one line and exits. arg NULL: a switch
 * (value is NULL). The array ends with name NULL.
 */
struct component_option {
	const char *name, *arg, *help;
	int (*set)(void *ctx, const char *value);
};

/* What start() gets. All live until stop() has returned. */
struct component_env {
	struct loop *loop;
	struct net *net;  /* the rack's */
	struct net *node; /* the machine's own (component_program.node); else the same */
	struct component *component;
	const char *hook; /* wrappers in front of net (--hook); NULL: none */
};

struct component_program {
	const char *name;    /* of the binary; also the first word of its log lines */
	const char *summary; /* one line for --help */
	enum wire_kind kind;
	/* Serves its own machine: listens on the fabric `local` (--node) whatever the fabric of the rack. */
	bool node;
	const struct component_option *options; /* may be NULL */
	const struct component_ops *ops;
	/*
	 * The options are read, loop and net are open, nothing listens yet: make the monitor and set *bytes to the
	 * capacity to join with. ctx is component_main's; the ops get the same unless component_set_ctx gives them the
	 * monitor here. 0, or -errno after logging why.
	 */
	int (*start)(void *ctx, const struct component_env *env, uint64_t *bytes);
	/* Whether a child of this process is one that start() or what came of it waits for. NULL: it starts none. */
	bool (*own_child)(void *ctx, pid_t pid);
	/* The loop has ended: close everything (connections too). Called only after start() gave 0. */
	void (*stop)(void *ctx);
};

/*
 * The main() of every component. Options common to all: --gmm --name --domain (not for KIND_GMM), --listen (or --node), --fabric,
 * --log, --lifeline FD (end when it hangs up), --ready-fd FD (gets the line "ready ADDR" once joined), --help.
 * Ends cleanly with 0 on SIGTERM, SIGINT and the life line; 1 when something failed; 2 for a wrong command line;
 * EXIT_NO_FABRIC after one line when the fabric is not there.
 */
#define EXIT_NO_FABRIC 69 /* EX_UNAVAILABLE of sysexits.h */
int component_main(int argc, char **argv, const struct component_program *, void *ctx);

#endif
