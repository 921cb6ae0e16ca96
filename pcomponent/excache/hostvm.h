/*
 * Host operations that the line state machine stands on. The real ones: hostvm_uffd.c (userfaultfd, memory components);
 * the model's: tests/model. `host` is the calling thread's port (struct excache_port) or the model's thread.
 * All return 0 or a count, or -errno. None blocks but fetch, store and frames_take, and none faults.
 */
#ifndef PCOMPONENT_EXCACHE_HOSTVM_H
#define PCOMPONENT_EXCACHE_HOSTVM_H
#include <stdbool.h>
#include <stdint.h>

struct hostvm_run {
	uint64_t vpn;
	uint64_t pages;
};

struct hostvm {
	/* The word of line vpn. make: never NULL; else NULL stands for a word of 0 that was never used. */
	uint64_t *(*line)(void *host, uint64_t vpn, bool make);
	uint32_t (*epoch)(void *host); /* 1..LINE_GEN_MASK */
	void (*relax)(void *host);     /* another thread must go on first */

	/* Rights to have one more line resident: take up to n without waiting (the number taken); give back. */
	unsigned (*room_take)(void *host, unsigned n);
	void (*room_put)(void *host, unsigned n);
	/* A line became resident; word already says so. */
	void (*admit)(void *host, uint64_t vpn, uint32_t gen);

	/* ---- memory ---- */
	/*
	 * Map pages at vpn: the one that fetch brought (n is 1), or n pages of zeros (zero). The number mapped, at least
	 * 1; -EEXIST: the first is there already; -errno.
	 */
	int (*copy)(void *host, uint64_t vpn, unsigned n, bool zero, bool protect);
	/* Write-protect what is present in a run; other pages of it may be in any state, or missing. */
	int (*protect)(void *host, uint64_t vpn, unsigned n);
	/* May the evictor not touch it? NULL: it may touch all. */
	bool (*pinned)(void *host, uint64_t vpn);
	/* Do several threads run in this memory, so that each protect call interrupts other processors? NULL: no. */
	bool (*threads)(void *host);
	int (*unprotect)(void *host, uint64_t vpn);
	void (*drop)(void *host, const struct hostvm_run *runs, unsigned n);
	/* Read n present pages (n <= LINE_BATCH) into slots 0..n-1 of the evictor; bit i of zeros: page i is all zeros. */
	int (*read)(void *host, const uint64_t *vpn, unsigned n, uint64_t *zeros);

	/* ---- frames ---- */
	/* Read a frame into the thread's bounce page. */
	int (*fetch)(void *host, uint64_t loc);
	/* Evictor: read a frame into slot i. */
	int (*fetch_slot)(void *host, unsigned i, uint64_t loc);
	/* Evictor: write its slots slot[0..n-1] to the n frames from loc on. -errno: the frames must not be used again. */
	int (*store)(void *host, const uint8_t *slot, unsigned n, uint64_t loc);
	/* Evictor: take up to `want` frames in a row: the number taken, at least 1; -ENOMEM none can be had; -EIO. */
	int (*frames_take)(void *host, unsigned want, uint64_t *loc);
	/* Evictor, or faults excluded: give back a frame that no page map entry names. */
	void (*frame_put)(void *host, uint64_t loc);
	/* Evictor, or faults excluded: the page map says that the frame holds what vpn contains, or no longer. */
	void (*mapped)(void *host, uint64_t vpn, uint64_t loc);
	void (*unmapped)(void *host, uint64_t vpn, uint64_t loc);
	/* Any thread, owning line vpn: its frame holds old contents from now on and nobody reads it. No lock, no message. */
	void (*frame_stale)(void *host, uint64_t vpn, uint64_t loc);
};

#endif
