/*
 * Joining the rack on the program's behalf: what the process was started with, the node daemon, the rack's fabric, memory
 * and storage components. At a start, after exec and in the child of a fork. What goes wrong ends the process with one line
 * and status 125.
 */
#ifndef PCOMPONENT_PROC_JOIN_H
#define PCOMPONENT_PROC_JOIN_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/launch.h"

/*
 * Who a process is to be that does not exist yet: the child of a fork, or the program that this one becomes. All that it
 * needs to begin, so that it need not wait for the node daemon.
 */
struct member {
	struct cap cap; /* for D2P_HELLO */
	uint64_t excache_bytes;
	uint32_t id, relayed;
	struct cap caps[PROCESS_MEMORY_MAX + 1]; /* for the components: storage, then memory */
};

/*
 * The configuration behind the descriptor whose number arg is; the descriptor, which stays open, at its end. After exec with
 * what join_save wrote.
 */
int join_read(const char *arg);
const struct launch_config *join_launch(void);
/* Where the counters go (counters.h). */
void join_stats(void);
bool join_first(void); /* the first process of its tree, whatever program it is by now */
/* The child of a fork that has not joined: counters and locks are its parent's, as these were at the fork. */
bool join_foreign(void);
/* All of it; exec_fd: where fs_exec_restore finds the files, -1: at a first start. */
void join_rack(int exec_fd);
/* The service thread, when the first program thread is there. */
void join_serve(void);
/* Before the program's first instruction: what we know of ourselves is read-only from now on. */
void join_seal(void);
/* Has it a capability for each of our components? bytes: of caps. */
bool join_caps_fit(uint32_t bytes);
/* For the program that a process becomes as that member: what join_read reads, to fd. flags: of it besides. 0 or -errno. */
int join_save(const struct member *, uint32_t flags, int fd);
/* In place of join_stats and join_rack: as the keeper (pcomponent/keep/), which has no files. */
struct excache_shared;
void join_keeper(const struct excache_shared *);
/* In the child of a fork, whose descriptors of ours are closed: as that member. ranges: as excache_fork_child. */
void join_forked(const struct member *, int (*ranges)(int (*registered)(uint64_t, uint64_t)));
/* The node daemon did not take us; err: what it said. Does not return. Any thread. */
void join_refused(int err) __attribute__((noreturn));

#endif
