/* The gmm to components, over the connection they joined by. */
#ifndef ASHLAR_PROTO_G2X_H
#define ASHLAR_PROTO_G2X_H
#include "ashlar/proto/wire.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* Where a process has its memory and files. */
struct placement_part {
	struct cap cap; /* the process's capability on that component: each component its own */
	uint32_t id;
	uint32_t promised; /* 1: bytes are set aside for it; 0: a quota only */
	uint64_t bytes;	   /* memory: promised there */
	char name[NAME_BYTES];
	char addr[ADDR_BYTES];
	uint32_t reserved1;
};
_Static_assert(sizeof(struct placement_part) == 176, "placement_part");

/*
 * A process may now come with this capability. To a processor component the tail holds the placement: first the storage
 * component, then n_memory memory components, as struct placement_part each. To others the tail is empty.
 */
struct g2x_admit_req {
	struct cap cap;
	uint64_t bytes; /* memory: quota; processor: ExCache budget */
	uint32_t pid;
	uint32_t processor_id; /* where it runs */
	uint32_t uid, gid;
	uint32_t n_memory;
	uint32_t weight; /* 1 to WEIGHT_MAX: its share of what it shares with other processes */
};
struct g2x_admit_rep {
	uint64_t reserved0;
};

/* The process is over: release all it has, refuse it from now on. To a processor component: end it. */
struct g2x_revoke_req {
	uint32_t pid;
	uint32_t reserved0;
};
struct g2x_revoke_rep {
	uint64_t released_bytes;
};

/* What n processes use there: tail = their pids (uint32_t each); reply tail = struct process_usage each, same order. */
struct g2x_usage_req {
	uint32_t n;
	uint32_t reserved0;
};
struct g2x_usage_rep {
	uint32_t n;
	uint32_t reserved0;
};
struct process_usage {
	uint64_t bytes; /* memory: granted frames; processor: memory of the process on that machine */
	uint64_t cpu_ns, age_ms;
	uint32_t state;	  /* as in ps_row; 0: no such process here */
	uint32_t members; /* processor: processes of the tree that run */
	char program[NAME_BYTES];
};
_Static_assert(sizeof(struct process_usage) == 64, "process_usage");

/* To a processor component: as X2G_TREE. */
struct g2x_tree_req {
	uint32_t pid;
	uint32_t after;
};
struct g2x_tree_rep {
	uint32_t rows;
	uint32_t reserved0;
};
struct member_row {
	uint32_t member;  /* its number in the tree */
	int32_t host_pid; /* on the processor component's machine */
	uint32_t state;	  /* as in ps_row */
	uint32_t reserved0;
	char program[NAME_BYTES];
};
_Static_assert(sizeof(struct member_row) == 48, "member_row");

/* To a processor component: send the signal to the tree. The gmm has checked who asked. */
struct g2x_signal_req {
	uint32_t pid;
	int32_t signal;
};
struct g2x_signal_rep {
	uint64_t reserved0;
};

#pragma GCC diagnostic pop
#endif
