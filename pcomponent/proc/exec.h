/*
 * exec: the dispatcher executes itself again, in place of the program and with another one. The host kernel ends the other
 * threads and keeps what Linux keeps (pid, parent, session, pending signals, limits, timers, descriptors); what only the
 * dispatcher knows passes in a memfd: what join_save, this file (struct exec_state) and fs_exec_save write.
 */
#ifndef PCOMPONENT_PROC_EXEC_H
#define PCOMPONENT_PROC_EXEC_H
#include <stdint.h>
#include <sys/resource.h>

#define EXEC_MAGIC 0x43455845u

struct exec_limits {
	struct rlimit nofile, as, data; /* as the program sees them */
	uint64_t floor;
};

struct exec_state {
	uint32_t magic;
	uint32_t thp_disabled;	  /* by us, as memory came under the ExCache */
	uint64_t mask;		  /* of the thread that called, the virtual signals among it */
	uint64_t ignored_virtual; /* of SIGS_OURS */
	struct exec_limits limits;
};

/* In the new dispatcher. read: from fd, at the end of the launch configuration. take: put it in force; the mask. */
void exec_state_read(int fd, struct exec_state *);
uint64_t exec_state_take(const struct exec_state *);

#endif
