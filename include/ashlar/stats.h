/*
 * Counters of one process. They live in a page shared by the dispatcher and the command or daemon that started it (both
 * parts of one processor monitor), so that they outlast a kill -9. The reader trusts none of them: it only prints.
 * Written with relaxed atomics; bytes and nanoseconds.
 */
#ifndef ASHLAR_STATS_H
#define ASHLAR_STATS_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/hist.h"
#include "ashlar/base/limits.h"

#define STATS_MAGIC 0x5354415453484c41ULL
#define STATS_SYSCALLS 512u

/* What the dispatcher uses of the host kernel that Debian's own 6.1 has not. */
enum stats_kernel {
	STATS_KERNEL_DROP = 1, /* process_madvise(MADV_DONTNEED) on oneself (6.13) */
	STATS_KERNEL_SCAN = 2, /* PAGEMAP_SCAN (6.7) */
};

struct stats_call {
	uint64_t count, total_ns;
};

struct stats_page {
	uint64_t magic;
	uint64_t start_ns;	/* CLOCK_MONOTONIC when the dispatcher began */
	uint64_t first_insn_ns; /* when it jumped to the program's first instruction */
	uint64_t end_ns;	/* 0: ended without telling */
	uint64_t budget_bytes, resident_bytes, resident_peak_bytes;
	uint64_t budget_changes; /* of budget_bytes, since the process began */
	uint64_t registered_ns;	 /* when memory came under the ExCache; 0: the program fitted all along */
	uint64_t misses;	 /* lines fetched from a memory component on demand */
	uint64_t zero_fills, wp_faults, victim_hits, prefetched, prefetch_used;
	uint64_t evictions, writebacks, writeback_bytes, zero_evictions;
	uint64_t waits;			    /* faults that waited for another thread's transfer of the same line */
	uint64_t inline_reclaims;	    /* faults that had to make room themselves */
	uint64_t protect_calls, drop_calls; /* system calls of evictions */
	uint64_t remote_bytes, remote_peak_bytes, slabs;
	uint64_t reads, read_bytes, writes, write_bytes, messages;
	uint64_t unknown_calls;
	uint64_t processes;	  /* whose counters are in here; of one that runs 0 */
	uint64_t local_bytes_max; /* the dispatcher's own memory: its stated bound */
	uint32_t components, threads_peak;
	uint32_t kernel_used, reserved0; /* enum stats_kernel */
	struct hist miss;
	struct stats_call call[STATS_SYSCALLS];
	uint64_t component_bytes[PROCESS_MEMORY_MAX]; /* remote bytes per memory component */
};

/*
 * What the memfd holds, STATS_BYTES of it, most of them never touched: the page of the tree's first process, and slots for the
 * others. Each writes its own page while it runs, so that it is there when the process was killed. One that ends or becomes
 * another program adds its part to `others`, and empties its slot; of more than there are slots, those without one do only that.
 */
#define STATS_SLOTS ((int)MEMBERS_MAX)
#define STATS_SLOT_BYTES ((sizeof(struct stats_page) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES)
struct stats_tree {
	struct stats_page first, others;
	uint32_t owner[STATS_SLOTS]; /* pid of the host of whose slot it is; 0: nobody's, and empty */
};
#define STATS_TREE_BYTES ((sizeof(struct stats_tree) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES)
#define STATS_BYTES (STATS_TREE_BYTES + STATS_SLOTS * STATS_SLOT_BYTES)
static inline uint64_t stats_slot_at(unsigned slot)
{
	return STATS_TREE_BYTES + slot * STATS_SLOT_BYTES;
}

/* All of it that has been counted so far. The tree is mapped whole. */
void stats_sum(const struct stats_tree *, struct stats_page *sum);

/* Add up counters, the larger of peaks. Several may add to one page at a time. */
void stats_merge(struct stats_page *into, const struct stats_page *from);
/* The counters to 0, for the program that the process becomes; times, names of limits and settings stay. */
void stats_clear(struct stats_page *);

#define STAT_ADD(counter, n) ((void)__atomic_fetch_add(&(counter), (n), __ATOMIC_RELAXED))
#define STAT_SET(counter, v) __atomic_store_n(&(counter), (v), __ATOMIC_RELAXED)

static inline void stat_max(uint64_t *counter, uint64_t v)
{
	uint64_t old = __atomic_load_n(counter, __ATOMIC_RELAXED);

	while (old < v && !__atomic_compare_exchange_n(counter, &old, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

#endif
