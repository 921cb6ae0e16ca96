/* Counters: see counters.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "ashlar/stats.h"
#include "pcomponent/proc/counters.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/sys/dispatch.h"

static int tree_fd = -1;
static struct stats_tree *tree; /* NULL: nobody asked for counters */
static int own_slot = -1;	/* -1: the first process, or there was none left */
static void *own_page;		/* not the first process's */

static void *map(int fd, uint64_t bytes, uint64_t off)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, (off_t)off);

	if (p == MAP_FAILED)
		proc_fail(125, "statistics page: %s", strerror(errno));
	return p;
}

static bool owner_change(int slot, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&tree->owner[slot], &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void tell(struct stats_page *p)
{
	p->processes = 1;
	stats_merge(&tree->others, p);
}

/* The slots of those that were killed become free. One whose pid another process has by now stays a while longer. */
static void slots_reclaim(void)
{
	uint32_t me = (uint32_t)getpid(), pid;
	struct stats_page *p;

	for (int i = 0; i < STATS_SLOTS; i++) {
		pid = __atomic_load_n(&tree->owner[i], __ATOMIC_RELAXED);
		if (!pid || !kill((pid_t)pid, 0) || errno != ESRCH || !owner_change(i, pid, me))
			continue;
		p = map(tree_fd, STATS_SLOT_BYTES, stats_slot_at((unsigned)i));
		tell(p);
		memset(p, 0, STATS_SLOT_BYTES);
		munmap(p, STATS_SLOT_BYTES);
		owner_change(i, me, 0);
	}
}

static int slot_find(uint32_t owner)
{
	for (int i = 0; i < STATS_SLOTS; i++)
		if (__atomic_load_n(&tree->owner[i], __ATOMIC_RELAXED) == owner &&
		    owner_change(i, owner, (uint32_t)getpid()))
			return i;
	return -1;
}

/* A page for the process. had: it may have a slot from the program that it was. */
static void own(bool had)
{
	if (own_page) /* a parent's */
		munmap(own_page, STATS_SLOT_BYTES);
	own_slot = tree && had ? slot_find((uint32_t)getpid()) : -1;
	if (tree && own_slot < 0)
		own_slot = slot_find(0);
	if (tree && own_slot < 0) {
		slots_reclaim();
		own_slot = slot_find(0);
	}
	own_page = own_slot < 0 ? map(-1, STATS_SLOT_BYTES, 0)
				: map(tree_fd, STATS_SLOT_BYTES, stats_slot_at((unsigned)own_slot));
	process_stats = own_page;
	process_stats->magic = STATS_MAGIC;
}

void counters_open(int fd, bool first)
{
	tree_fd = fd;
	tree = fd < 0 ? NULL : map(fd, sizeof(*tree), 0);
	if (tree && first)
		process_stats = &tree->first;
	else
		own(true);
	process_stats->magic = STATS_MAGIC;
}

void counters_forked(void)
{
	own(false);
}

void counters_tell(void)
{
	if (!tree)
		return;
	tell(process_stats);
	stats_clear(process_stats);
}

/* Whoever is killed in the midst of this is counted twice. */
void counters_end(void)
{
	if (!tree || process_stats == &tree->first)
		return;
	tell(process_stats);
	memset(process_stats, 0, STATS_SLOT_BYTES);
	if (own_slot >= 0)
		owner_change(own_slot, (uint32_t)getpid(), 0);
}
