/*
 * Inside the processor monitor: commands and dispatchers to the node daemon. A command announces a process and starts
 * it as its own child (so it stays in the shell's session); the dispatcher in that child then reports to the daemon.
 */
#ifndef ASHLAR_PROTO_D2P_H
#define ASHLAR_PROTO_D2P_H
#include "ashlar/proto/wire.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/*
 * From the command. Its connection is the process's life line: when it closes, the daemon ends the process. The reply
 * comes at once; how the process ends the command sees by itself, as its parent.
 */
struct d2p_announce_req {
	struct cap cap;
	uint32_t pid;
	uint32_t reserved0;
};
struct d2p_announce_rep {
	uint64_t excache_bytes;
};

/*
 * From the dispatcher, first thing: the daemon takes a pidfd of the peer (the connection's credentials tell the host
 * pid, not the message) and supervises it. Reply tail: struct placement_part, storage first, then n_memory of memory.
 * The reply waits until there is local memory for the process; -EAGAIN: not yet, ask again on the same connection.
 */
struct d2p_hello_req {
	struct cap cap;
	uint32_t pid;
	uint32_t reserved0;
};
struct d2p_hello_rep {
	uint64_t excache_bytes;
	uint32_t n_memory;
	uint32_t reserved0;
};

/*
 * From the dispatcher, posted while there is something new to tell: by this the daemon divides the ExCache. Counts are
 * since the process began. weight: bytes that it may fill without further asking; registered: is it under the ExCache?
 */
struct d2p_report_req {
	uint64_t weight_bytes, resident_bytes;
	uint64_t faults; /* that made a line resident; 0: not registered */
	uint32_t registered;
	uint32_t reserved0;
};
struct d2p_report_rep {
	uint64_t reserved0;
};

/*
 * From the daemon to the dispatcher, one at a time: the process's ExCache has this size from now on. The reply comes when
 * the process keeps to it. -errno: it could not be made smaller, and stays as it was.
 */
struct d2p_budget_req {
	uint64_t excache_bytes;
};
struct d2p_budget_rep {
	uint64_t resident_bytes;
};

#pragma GCC diagnostic pop
#endif
