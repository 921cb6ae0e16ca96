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

struct excache_config {
	struct net *net;
	uint64_t budget_bytes;
	uint32_t pid;
	uint32_t n_memory;
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
	/* A transfer failed for good: tell the user once (the process gets SIGBUS where it needs the page). */
	void (*message)(const char *fmt, ...);
};

/* Does the host kernel give what a remote page needs? 0, or -errno of userfaultfd. Before all else, nothing is open. */
int excache_host_check(void);
/* Connect to the memory components (P2M_HELLO on each). 0 or -errno after a message that names the component. */
int excache_open(const struct excache_config *);
/* Undo it: all ports are closed, no registered memory is left. For tests; a process that ends need not. */
void excache_close(void);

/* Watch: descriptors of the memory connections, for the service thread; dead: it hung up, fail its transfers. */
unsigned excache_watch_fds(int *fds, unsigned max);
void excache_watch_dead(int fd);

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
 * shared: resolve a fault of this thread at addr, in the registered mapping [start, end).
 * 0: try the access again. -EIO: its page is lost (transfer failed); -ENOMEM: no room and none can be made (the rack is
 * full): the caller ends the process with a message.
 */
int excache_fault(struct excache_port *, uint64_t addr, bool write, uint64_t start, uint64_t end);

/* shared: make room ahead of demand until the headroom is free again; called by faults and after registration. */
int excache_reclaim(struct excache_port *);

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

/* Bring the statistics page up to date. Any thread, no lock held. (Threads that are inside a fault may come late.) */
void excache_count(void);
/* The same, and flush batched page map entries to the memory components: where somebody is to find the pages. */
void excache_flush(void);

#endif
