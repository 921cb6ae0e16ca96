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
	uint32_t reserved0;
};
struct x2g_join_rep {
	uint64_t epoch;
	uint32_t id; /* of the component in this rack, from 1 */
	uint32_t heartbeat_ms;
};

/* Load, every heartbeat_ms. */
struct x2g_beat_req {
	uint64_t used_bytes;
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

/* A command wants to run a program. */
struct x2g_run_req {
	uint64_t excache_bytes; /* budget of the process; 0: the processor component's default */
	uint64_t memory_bytes;	/* remote memory promised; 0: as much as the components have */
	uint32_t uid, gid;
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
	uint32_t id, kind, processes, state; /* enum rack_state */
	uint64_t beat_age_ms;
	char name[NAME_BYTES];
	char addr[ADDR_BYTES];
	uint32_t reserved0;
};
enum rack_state { RACK_UP, RACK_SILENT, RACK_DEAD };

#pragma GCC diagnostic pop
#endif
