/*
 * ExCache: the processor component's local memory as a cache of remote memory, one per process. Lines are 4 KB pages of
 * registered regions. The faulting thread resolves its own miss: a one-sided read into its bounce page, UFFDIO_COPY. No
 * lock is shared by threads on that path: each line has one atomic word (line.h), layout changes exclude faults by the
 * big-reader lock of vm/, which the callers hold: excache_fault and excache_reclaim under it shared, all calls marked
 * "exclusive" while no thread is inside a fault.
 */
#ifndef PCOMPONENT_EXCACHE_H
#define PCOMPONENT_EXCACHE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ashlar/base/cap.h"
#include "ashlar/base/limits.h"
#include "ashlar/net.h"

struct stats_page;
struct excache_port; /* one per thread: bounce buffer, data connections, queues; no other thread touches it */

struct excache_memory { /* a memory component of this process */
	struct cap cap;
	char addr[ADDR_BYTES];
	char name[NAME_BYTES];
	uint64_t bytes;
};

/*
 * Host operations on memory that other processes map as well (the keeper of shared memory, pcomponent/keep/): in all of
 * them. Addresses are this process's. None blocks, none faults.
 */
struct excache_shared {
	int (*protect)(uint64_t addr, uint64_t pages); /* write-protect what is there, and what comes: 0 or -errno */
	int (*unprotect)(uint64_t addr);	       /* one page, in the process whose fault is being resolved */
	void (*drop)(uint64_t addr, uint64_t pages);
};

struct excache_config {
	struct net *net;
	uint64_t budget_bytes;
	uint32_t pid, member; /* of the tree; which of its processes */
	uint32_t n_memory;
	bool lazy; /* memory components are connected to at their first use: of a process that may not live long */
	const struct excache_memory *memory;
	struct stats_page *stats;
	int fd_floor;
	const char *policy; /* eviction policy by name; NULL: the default */
	bool kernel_6_1;    /* use only what Debian's kernel 6.1 has, also where the host kernel has more */
	/*
	 * Copy n bytes out of a resident page of the program: 0, or -EFAULT where it may not be read; takes no lock and
	 * causes no miss. NULL: system calls are used instead, which cost about 0.5 us more for each page written back.
	 */
	int (*peek)(void *dst, uint64_t src, size_t n);
	void (*connected)(void); /* may be NULL */
	/* NULL: registered memory is this process's own. Else lines are pages that are shared, and all goes by these. */
	const struct excache_shared *shared;
	/* A transfer failed for good: tell the user once (the process gets SIGBUS where it needs the page). */
	void (*message)(const char *fmt, ...);
};

/* Does the host kernel give what a remote page needs? 0, or -errno of userfaultfd. Before all else, nothing is open. */
int excache_host_check(void);
/* Connect to the memory components (P2M_HELLO on each). 0 or -errno after a message that names the component. */
int excache_open(const struct excache_config *);
/* Undo it: all ports are closed, no registered memory is left. For tests; a process that ends need not. */
void excache_close(void);

/*
 * Watch: descriptors of the memory connections that there are now, for the service thread; dead: it hung up, fail its
 * transfers. excache_config.connected is called when a lazy one has come, by the thread that needed it. Not every
 * fabric's descriptor shows an end: look takes what came, the end among it; to be called now and then.
 */
unsigned excache_watch_fds(int *fds, unsigned max);
void excache_watch_dead(int fd);
void excache_watch_look(void);

int excache_port_open(struct excache_port **out);
void excache_port_close(struct excache_port *);

/*
 * Registered memory. [start, end) page aligned, private anonymous, in one mapping at least as large.
 * exclusive: take the range under the ExCache; pages now present in it become dirty lines, others are zero.
 */
int excache_register(uint64_t start, uint64_t end);
/* exclusive: contents are gone (munmap, MADV_DONTNEED, MAP_FIXED over it): frames and counts go back; lines are zero. */
void excache_forget(uint64_t start, uint64_t end);
/*
 * exclusive: mremap moved [from, from+bytes) to [to, ...): the host kernel has moved present pages, dropped registration
 * and maybe protection. Registers the new place, moves line words, treats present pages as dirty.
 */
int excache_move(uint64_t from, uint64_t to, uint64_t bytes);
/* exclusive: bytes resident in [start, end), for /proc/self/status and mincore; vec (may be NULL) one byte per page. */
uint64_t excache_resident(uint64_t start, uint64_t end, unsigned char *vec);

/*
 * For shared memory. exclusive. take: these pages are there, whoever made them: they are lines, dirty, from now on.
 * clean_runs: fn for each run of clean lines, until it fails. give_up: what is away comes back, by this port, budget or
 * not, and none of [start, end) is a line any more; -EIO: some of it is lost, and zeros.
 */
void excache_take(uint64_t start, uint64_t end);
int excache_clean_runs(uint64_t start, uint64_t end, int (*fn)(uint64_t addr, uint64_t pages, void *arg), void *arg);
int excache_give_up(struct excache_port *, uint64_t start, uint64_t end);

/* exclusive: bytes of [start, end) whose contents are with a memory component only. */
uint64_t excache_away(uint64_t start, uint64_t end);

/*
 * exclusive: lines of [start, end) stay once they are resident, until they are unpinned; the caller brings them in, and sees
 * to it that enough of the budget is left for others. 0 or -ENOMEM. Forgetting and moving leave pins where they are.
 */
int excache_pin(uint64_t start, uint64_t end);
void excache_unpin(uint64_t start, uint64_t end);

/*
 * shared: resolve a fault of this thread at addr, in the registered mapping [start, end).
 * 0: try the access again. -EIO: its page is lost (transfer failed); -ENOMEM: no room and none can be made (the rack is
 * full): the caller ends the process with a message.
 */
int excache_fault(struct excache_port *, uint64_t addr, bool write, uint64_t start, uint64_t end);

/* shared: make room ahead of demand until the headroom is free again; called by faults and after registration. */
int excache_reclaim(struct excache_port *);
/*
 * For pages that are to be registered with contents: shared: make room for so many lines, which others may take; 0, -ENOMEM,
 * -EIO. exclusive: is it there?
 */
int excache_make_room(struct excache_port *, unsigned lines);
bool excache_has_room(unsigned lines);

/*
 * So many bytes of the budget are taken, or given back (negative), by memory that is no line, and is there. What is too
 * much then is evicted by the next who needs room.
 */
void excache_charge(int64_t bytes);

/*
 * The budget from now on, at least EXCACHE_LINES_MIN lines. Any thread, one at a time. More is there at once; where it is
 * less than what is resident, threads find no room until excache_fit (theirs or another's eviction) has made it.
 */
void excache_budget_set(uint64_t bytes);
uint64_t excache_budget(void);
/* shared: the first address in [from, end) of a page that ever had contents, or end. For registered memory. */
uint64_t excache_next(uint64_t from, uint64_t end);
/* shared: evict one batch where more is resident than the budget allows. 1: still too much, 0: it fits, -errno: the
 * write-back failed. */
int excache_fit(struct excache_port *);

/* Open a file of /proc/self to read it, also when the process has become another user. A descriptor, or -1 with errno. */
int excache_self_open(const char *path);
/* Bring the statistics page up to date. Any thread, no lock held. (Threads that are inside a fault may come late.) */
void excache_count(void);
/* The same, of the fabric's counters only. */
void excache_count_fabric(void);
/* The same, and flush batched page map entries to the memory components: where somebody is to find the pages. */
void excache_flush(void);

/*
 * ---- fork ----
 *
 * prepare: exclusive, in the parent, before fork(2): the page map is told, the memory components on which it has slabs make
 * `member` a sharer of them (P2M_FORK), and from here on nothing of the ExCache is in use by another thread of the process,
 * the resizer among them: its locks are taken. parent: after fork(2), also a failed one: they are given back. On failure
 * of prepare (-errno) that has happened already. The slabs stay sealed in any case.
 *
 * child: exclusive, in the child, whose threads are gone but the caller: all descriptors of the dispatcher are closed, and
 * no program memory may be touched before it returns. Connections, data connections and ports are begun anew, each at its
 * first use: all ports that there were are gone, the caller's too. Nothing of the parent's is told anything. Every range that was registered is so again: `ranges` calls
 * `registered` for each. Resident lines stay, clean ones protected. More may be resident than the budget allows:
 * excache_fit, before the program goes on. config: as excache_open; its memory components in the same order, with the
 * member's capabilities.
 */
int excache_fork_prepare(uint32_t member);
void excache_fork_parent(void);
int excache_fork_child(const struct excache_config *config,
		       int (*ranges)(int (*registered)(uint64_t start, uint64_t end)));

#endif
