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
 * Whom D2P_FORK named knows all that already: it does not wait for the reply, which comes at once and has no more than its
 * bytes. -ESRCH: it is over, or the tree is; it ends itself.
 */
struct d2p_hello_req {
	struct cap cap;
	uint32_t pid;	 /* of the tree */
	uint32_t member; /* 0: the program that the gmm placed; else what D2P_FORK named */
};
struct d2p_hello_rep {
	uint64_t excache_bytes;
	uint32_t n_memory;
	uint32_t relayed; /* 1: it reaches the components by the daemon's relay, 0: it opens the rack's fabric itself */
};

/*
 * From the dispatcher: it is about to fork, or to become another program (exec: the same process of the machine under
 * a new member number; its connections close when it does). The child, or the new program, says D2P_HELLO with the cap
 * and the member of the reply, within DMEMBER_MS. Reply tail: its capabilities for the components, in the order of the
 * placement, which is the caller's. offer_bytes: the caller keeps to so much less of its ExCache from now on
 * (it does already), and the child gets so much at least; what the daemon has free goes first, and the caller has back what
 * is not needed of its own. -EAGAIN: the tree has MEMBERS_MAX processes, or
 * there is no memory for one more. -EBUSY: a D2P_BUDGET is under way; ask again when that is answered.
 */
struct d2p_fork_req {
	uint64_t offer_bytes; /* exec: 0 */
	uint32_t exec;
	uint32_t reserved0;
};
struct d2p_fork_rep {
	struct cap cap;
	uint64_t excache_bytes; /* of the child; exec: as it is */
	uint64_t kept_bytes;	/* the caller's from now on: what it offered is in it as far as it was not needed */
	uint32_t member;
	uint32_t relayed; /* as in struct d2p_hello_rep */
};

/* From the dispatcher: the fork or exec for which the member was named did not come about; what was offered comes back. */
struct d2p_unfork_req {
	uint32_t member;
	uint32_t reserved0;
};
struct d2p_unfork_rep {
	uint64_t excache_bytes; /* the caller's from now on */
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

/*
 * ---- a program that the daemon starts: from the command, on the connection that announced its process ----
 *
 * The program's words, in pieces in their order: tail = bytes from off on. All in all terminated strings: argc of argv
 * (the program as it was typed first), envc of the environment, the working directory.
 */
struct d2p_args_req {
	uint32_t off;
	uint32_t reserved0;
};
struct d2p_args_rep {
	uint64_t reserved0;
};

enum start_flags {
	START_TERMINAL = 1, /* stdin and stdout are a terminal: the program gets one of its own */
	START_STDERR = 2,   /* with it: stderr is none, and comes apart */
};
struct window {
	uint16_t rows, columns, xpixel, ypixel;
};
/* Start it, as the user of the connection, with the limits of the process at its other end. The reply: it is started. */
struct d2p_start_req {
	uint32_t argc, envc, umask;
	uint32_t flags;
	uint64_t signals_ignored; /* bit N-1: signal N */
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t cc[32]; /* modes of the terminal, as in struct termios */
	struct window window;
	uint32_t storage_wait_s;
	int32_t log_level;
};
struct d2p_start_rep {
	uint64_t reserved0;
};

/*
 * Give me what comes of the stream; the reply waits until there is something. ended: nothing will come. Several may be
 * outstanding, and are answered in order. close: nobody reads it any more; a program that writes gets SIGPIPE.
 */
struct d2p_read_req {
	uint32_t stream; /* 1: stdout, or the terminal; 2: stderr */
	uint32_t close;
};
struct d2p_read_rep {
	uint32_t ended;
	uint32_t reserved0;
};

/* Bytes for stdin; the reply waits until the program's pipe or terminal has taken them. -EPIPE: nobody reads it. */
struct d2p_write_req {
	uint32_t end; /* after them comes nothing */
	uint32_t reserved0;
};
struct d2p_write_rep {
	uint64_t reserved0;
};

/* Send the program a signal; SIGWINCH with a terminal sets the size of that. */
struct d2p_signal_req {
	uint32_t number;
	uint32_t reserved0;
	struct window window;
};
struct d2p_signal_rep {
	uint64_t reserved0;
};

/* The reply comes when the program has ended; tree: when all that it made has. What it wrote may still have to be read. */
struct d2p_wait_req {
	uint32_t tree;
	uint32_t reserved0;
};
struct d2p_wait_rep {
	int32_t wait_status;
	uint32_t reserved0;
	uint64_t cpu_ns;
};

/* As X2G_TREE, of the process that was announced on this connection. -ESRCH: it is over. */
struct d2p_tree_req {
	uint32_t after;
	uint32_t reserved0;
};
struct d2p_tree_rep {
	uint32_t rows;
	uint32_t reserved0;
};

/* The sum of its counters (struct stats_page, made when off is 0), from off on; an empty tail: no more. */
struct d2p_stats_req {
	uint64_t off;
};
struct d2p_stats_rep {
	uint64_t reserved0;
};

#pragma GCC diagnostic pop
#endif
