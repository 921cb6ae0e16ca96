/* Components and commands to the gmm. */
#ifndef ASHLAR_PROTO_X2G_H
#define ASHLAR_PROTO_X2G_H
#include "ashlar/proto/wire.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* A component joins. Its connection is its life: when it closes, the component is dead. */
struct x2g_join_req {
	uint32_t kind; /* KIND_PROCESSOR, KIND_MEMORY, KIND_STORAGE; others join, are listed, get no work */
	uint32_t latency_class;
	uint64_t bytes;		 /* capacity: memory offered; processor: ExCache */
	char name[NAME_BYTES];	 /* unique in the rack, terminated */
	char domain[NAME_BYTES]; /* failure domain */
	char addr[ADDR_BYTES];	 /* where it listens */
	uint32_t flags;		 /* enum join_flags */
};
enum join_flags {
	/*
	 * It was in a rack before, and has what it had then. A processor component tells of each process that runs there
	 * by X2G_KEEP, and gets nothing new until it has told of all.
	 */
	JOIN_AGAIN = 1,
};
struct x2g_join_rep {
	uint64_t epoch;
	uint32_t id; /* of the component in this rack, from 1 */
	uint32_t heartbeat_ms;
};

/* Load, every heartbeat_ms. */
struct x2g_beat_req {
	uint64_t used_bytes;
	uint64_t requests; /* served since it began */
	uint64_t refused;  /* peers, requests and transfers turned away since it began, for whatever reason */
	uint32_t processes;
	uint32_t reserved0;
};
struct x2g_beat_rep {
	uint64_t epoch;
};

/* A processor component reports the end of a process. */
struct x2g_end_req {
	uint32_t pid;
	int32_t wait_status; /* as waitpid(2) gives it; -1 unknown */
};
struct x2g_end_rep {
	uint64_t reserved0;
};

/*
 * After JOIN_AGAIN, from a processor component: a process that runs there, admitted by a gmm that is gone. The tail says
 * what it has on other components, storage first, then memory. pid 0: that were all.
 */
struct x2g_keep_req {
	uint64_t excache_bytes; /* its budget as it was asked for; 0: the default */
	uint32_t pid, uid, gid;
	uint32_t weight; /* as in g2x_admit_req */
};
struct x2g_keep_rep {
	uint64_t reserved0;
};
struct kept_part {
	struct cap cap;	       /* of the process there: a storage component that starts anew is told of it again */
	char name[NAME_BYTES]; /* of the component */
	uint64_t bytes;	       /* memory: its quota there */
	uint32_t promised;     /* 1: set aside for it */
	uint32_t reserved0;
};
_Static_assert(sizeof(struct kept_part) == 64, "kept_part");

/*
 * A command wants to run a program. uid and gid count only where the fabric does not tell who the peer is (struct
 * net_peer); else those of the connection do.
 */
struct x2g_run_req {
	uint64_t excache_bytes; /* budget of the process; 0: the processor component's default */
	uint64_t memory_bytes;	/* remote memory promised; 0: as much as the components have */
	uint32_t uid, gid;
	uint32_t weight; /* 1 to WEIGHT_MAX; 0: WEIGHT_DEFAULT */
	uint32_t reserved0;
};
struct x2g_run_rep {
	struct cap cap; /* for the processor component: only it and this command know it */
	uint64_t excache_bytes;
	uint32_t pid; /* in the rack */
	uint32_t reserved0;
	char p_addr[ADDR_BYTES];
	char p_name[NAME_BYTES];
	uint32_t reserved1;
};

/* The rack as it is now: reply tail = array of struct rack_row. first: index to start from (paging). */
struct x2g_status_req {
	uint32_t first;
	uint32_t reserved0;
};
struct x2g_status_rep {
	uint64_t epoch;
	uint32_t rows;	/* in this reply */
	uint32_t total; /* in the rack */
	uint32_t processes;
	uint32_t reserved0;
};
struct rack_row {
	uint64_t bytes, used_bytes;
	uint64_t requests, refused;	     /* as its last heartbeat told (struct x2g_beat_req) */
	uint32_t id, kind, processes, state; /* enum rack_state */
	uint64_t beat_age_ms;
	char name[NAME_BYTES];
	char addr[ADDR_BYTES];
	uint32_t reserved0;
};
enum rack_state { RACK_UP, RACK_SILENT, RACK_DEAD };

/* The processes of the rack, by their pids: reply tail = array of struct ps_row, of those above pid `after`. */
struct x2g_ps_req {
	uint32_t after;
	uint32_t reserved0;
};
struct x2g_ps_rep {
	uint32_t rows; /* in this reply; 0: there are no more */
	uint32_t reserved0;
};
struct ps_row {
	uint64_t budget_bytes; /* of ExCache; 0: all that the processor component has */
	uint64_t local_bytes, remote_bytes, cpu_ns, age_ms;
	uint32_t pid, uid;
	uint32_t state;	  /* letter of proc(5); '-': its program has not come yet; '?': its component did not tell */
	uint32_t silent;  /* of its memory components: so many did not tell, remote_bytes lacks them */
	uint32_t members; /* processes of its tree that run */
	uint32_t reserved0;
	char processor[NAME_BYTES];
	char program[NAME_BYTES]; /* what it calls itself, cut; not to be trusted as text */
};
_Static_assert(sizeof(struct ps_row) == 128, "ps_row");

/* The processes of one tree: reply tail = array of struct member_row, of those with numbers above `after`, by these. */
struct x2g_tree_req {
	uint32_t pid;
	uint32_t after; /* UINT32_MAX: from the first one on */
};
struct x2g_tree_rep {
	uint32_t rows; /* in this reply; less than PS_BATCH_MAX: there are no more */
	uint32_t reserved0;
};

/* A signal to a tree of the rack: to the program that was placed while it lives, SIGKILL to all; 0: only look whether it may be sent. uid as in x2g_run_req. */
struct x2g_signal_req {
	uint32_t pid;
	int32_t signal;
	uint32_t uid;
	uint32_t reserved0;
};
struct x2g_signal_rep {
	uint64_t reserved0;
};

#pragma GCC diagnostic pop
#endif
