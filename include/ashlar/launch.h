/*
 * Launch: how the command starts the dispatcher. The program's environment belongs to the program, so nothing of ours
 * travels in it; it comes as a sealed memfd (all of F_SEAL_*) that holds one struct launch_config.
 *
 * exec: argv[0] = "dispatcher"
 *       argv[1] = decimal number of the memfd (offset 0; the dispatcher closes it)
 *       argv[2] = the program as it was typed; the dispatcher looks for it, by PATH where it has no '/', in the storage
 *                 component's files
 *       argv[3..] = the program's own argv, its argv[0] first
 *       environment, signal mask and dispositions, descriptors 0-2, working directory, process group: the program's.
 *
 * Descriptors that the program inherits from the shell may have any number; of ours only argv[1] and stats_fd are open
 * across the exec. They lie at LAUNCH_FD_MIN or above where the limit on descriptors allows, so that the program finds
 * 3, 4, ... free; the dispatcher must not leave them open to the program.
 *
 * Exit status: the program's; 125 (ashlar failed), 126 (cannot be executed), 127 (not found) after one line of the
 * dispatcher's own on stderr, "ashlar: ...". The command passes it on.
 */
#ifndef ASHLAR_LAUNCH_H
#define ASHLAR_LAUNCH_H
#include <stdint.h>
#include "ashlar/base/cap.h"
#include "ashlar/base/limits.h"

#define LAUNCH_MAGIC 0x48434e554c4853ULL /* "SHLUNCH" */
#define LAUNCH_VERSION 4u
#define LAUNCH_FD_MIN 500

enum launch_flags {
	LAUNCH_KERNEL_6_1 = 1, /* use no more of the host kernel than Debian's 6.1 has (ASHLAR_KERNEL of the command) */
	LAUNCH_EXEC =
		2, /* by the dispatcher itself: behind this struct lies what the program was before (proc/exec.h) */
	LAUNCH_KEEPER = 8, /* no program: the keeper of the tree's shared memory; argv[3] is its first socket */
	LAUNCH_FIRST = 4,  /* the tree's first process: its counters have a page of their own */
};
#define STORAGE_WAIT_FOREVER UINT32_MAX

struct launch_config {
	uint64_t magic;
	uint32_t version;
	uint32_t bytes;		 /* sizeof(struct launch_config) */
	struct cap cap;		 /* for D2P_HELLO */
	uint64_t excache_bytes;	 /* as the daemon's answer to the announcement stated it; D2P_HELLO gives the budget */
	uint32_t pid;		 /* in the rack */
	int32_t stats_fd;	 /* memfd of a struct stats_tree, to be mapped shared */
	int32_t log_level;	 /* enum log_level */
	uint32_t flags;		 /* enum launch_flags */
	char fabric[NAME_BYTES]; /* the rack's; D2P_HELLO says whether the dispatcher opens it itself or "relay" */
	char daemon[ADDR_BYTES]; /* the processor component's address, for D2P_HELLO */
	char daemon_name[NAME_BYTES];
	char relay[ADDR_BYTES];	 /* for fabric "relay": net_options.relay */
	char hook[HOOK_BYTES];	 /* net_options.hook; empty: none */
	uint32_t storage_wait_s; /* calls on files wait so long for a lost storage component; 0: not at all */
	uint32_t member;	 /* of the tree `pid`: 0 at the start of the first program */
};
_Static_assert(sizeof(struct launch_config) == 472, "launch_config has no holes");

/*
 * Where a running process is asked for a core file (pcomponent/proc/core_door.h): the name of its abstract socket, with
 * its pid of the host and that of the rack, and what it answers.
 */
#define CORE_DOOR_FORMAT "ashlar-core-%d-%u"
#define CORE_DOOR_MAGIC 0x45524f43u /* "CORE" */
struct core_answer {
	uint32_t magic;
	int32_t err;		     /* 0 or -errno */
	uint64_t bytes, pages, lost; /* of the file; pages in it; pages that could not be had and are zeros there */
};

#endif
