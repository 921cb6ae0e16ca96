/*
 * Insides of the gmm. Who owns what:
 *   struct gmm      -> members (components), peers (connections), processes
 *   struct member   lives on after its connection as a dead row, until its name comes again or the room is needed
 *   struct gprocess refers to its components by id, never by pointer: they may die at any moment
 */
#ifndef GMM_INTERNAL_H
#define GMM_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/list.h"
#include "ashlar/base/loop.h"
#include "gmm/gmm.h"
#include "gmm/place.h"

struct gmm {
	struct loop *loop;
	struct net *net;
	const struct place_policy *policy;
	struct rpc_counters *counters;
	struct list members, peers, processes;
	struct loop_timer watch;
	uint64_t epoch; /* rises with every change of membership */
	uint32_t id_next, pid_next;
	uint32_t n_members, n_peers, n_processes;
};

/* A connection: of a component (member set once it joined) or of a command. */
struct gpeer {
	struct list link;
	struct gmm *g;
	struct rpc *rpc;
	struct member *member;
};

/* A component that joined. */
struct member {
	struct list link;
	struct gpeer *peer; /* NULL: dead */
	uint32_t id, kind, latency_class;
	enum rack_state state;
	uint64_t bytes, beat_ns;
	uint64_t used_bytes, requests, refused; /* as reported */
	uint32_t reported_processes;
	bool again;	   /* it was in a rack before, and has what it had then */
	bool telling;	   /* it is back, and has not told of all its processes yet: nothing new is placed there */
	uint64_t promised; /* by us: bytes, and processes placed there */
	uint32_t placed;
	char name[NAME_BYTES], domain[NAME_BYTES], addr[ADDR_BYTES];
};

/* What a process has on one component. */
struct gpart {
	struct gprocess *process;
	uint32_t member_id;    /* 0: kept, and its component is not back yet */
	char name[NAME_BYTES]; /* of the component */
	struct cap cap;
	uint64_t bytes;	  /* quota, or budget */
	uint64_t promise; /* of it, counted as promised */
	bool asked;	  /* G2X_ADMIT was sent: must be revoked */
};

#define PART_PROCESSOR 0
#define PART_STORAGE 1
#define PART_MEMORY 2
#define PARTS_MAX (PART_MEMORY + PROCESS_MEMORY_MAX)

/*
 * A process, from X2G_RUN to its end. pending admissions keep the object alive after the end (`over`).
 */
struct gprocess {
	struct list link;
	struct gmm *g;
	uint32_t pid, uid, gid, weight;
	uint64_t budget_bytes;
	struct gpart part[PARTS_MAX];
	unsigned n_parts, pending;
	struct rpc_request *run; /* to be answered once all are asked */
	struct gpeer *command;	 /* who asked, while it is there */
	int err;
	bool over;
};

/* gmm.c */
void gpeer_drop(struct gpeer *); /* as if its connection had ended, which it does now */

/* member.c */
bool member_text_fits(const char *s, size_t bytes); /* text from the wire that may go into a table or a log */
int member_join(struct rpc_request *, const void *body, const void *tail, uint32_t tail_bytes, void *rep);
struct member *member_by_name(struct gmm *, const char *name);
int member_beat(struct rpc_request *, const void *body, const void *tail, uint32_t tail_bytes, void *rep);
void member_dead(struct gmm *, struct member *); /* its connection ended */
struct member *member_find(struct gmm *, uint32_t id);
void member_watch_begin(struct gmm *);

/* process.c */
struct gprocess *gprocess_new(struct gmm *);
struct gprocess *gprocess_by_pid(struct gmm *, uint32_t pid);
/* With a pid that the process has already: NULL when it is taken, or there is no room. */
struct gprocess *gprocess_kept(struct gmm *, uint32_t pid);
int gprocess_add_part(struct gprocess *, struct member *, uint64_t bytes, uint64_t promise);
/* Revoke it on all components that were asked but the one with id except (0: none), forget it. */
void gprocess_over(struct gprocess *, uint32_t except);
void gprocess_unref(struct gprocess *); /* one admission less is pending */
int gprocess_end(struct rpc_request *, const void *body, const void *tail, uint32_t tail_bytes, void *rep);

/* keep.c */
int keep_process(struct rpc_request *, const void *body, const void *tail, uint32_t tail_bytes, void *rep);
void keep_unbind(struct gmm *, struct member *); /* the dead member comes back as another: its parts wait for that */
void keep_bind(struct gmm *, struct member *);	 /* the member is back: it has what kept processes say of it */

/* ps.c */
int ps_begin(struct rpc_request *, const void *body, const void *tail, uint32_t tail_bytes, void *rep);

/* signal.c */
int signal_begin(struct rpc_request *, const void *body, const void *tail, uint32_t tail_bytes, void *rep);
/* Whom a command speaks for: the user of its connection where the fabric tells, else whom it claims. */
void gpeer_user(const struct gpeer *, uint32_t *uid, uint32_t *gid);

/* tree.c */
int tree_begin(struct rpc_request *, const void *body, const void *tail, uint32_t tail_bytes, void *rep);

/* run.c */
int grun_begin(struct rpc_request *, const void *body, const void *tail, uint32_t tail_bytes, void *rep);
void grun_command_gone(struct gmm *, struct gpeer *);
/* G2X_ADMIT of a process to the member that has this part of it. n parts, storage first: for a processor component. As rpc_call. */
int gpart_admit(struct gpart *, struct member *, const struct placement_part *parts, uint32_t n, uint32_t deadline_ms,
		rpc_done_fn *, void *arg);

/* status.c */
int gmm_status(struct rpc_request *, const void *body, const void *tail, uint32_t tail_bytes, void *rep);

#endif
