/*
 * Line: one 4 KB page of registered memory, described by one atomic word. All that threads and the evictor may do to a
 * line at the same time is settled by compare-and-swap on this word; docs/memory-model.md has the table of transitions.
 * The code is pure over struct hostvm, so that tests/model runs its interleavings.
 *
 *	AWAY	  not resident. Its contents are in the frame `loc`, or zeros where loc is 0 (all words begin so)
 *	FETCH	  one thread brings it in
 *	CLEAN	  resident and write-protected; contents equal the frame `loc`, or zeros where loc is 0
 *	DIRTY	  resident; no frame. The host may or may not write-protect it
 *	UNPROT	  resident; one thread takes the protection away. The only state in which that is done, and the evictor
 *		  does not touch it: so protecting and unprotecting never cross, and no write goes unseen
 *	CLEANING  resident; the evictor protects it, reads it and writes it to a frame that is not in the word yet.
 *		  A writer rescues it by UNPROT; the evictor then finds its word changed and gives the frame back
 *	DROP	  clean, and being dropped by the evictor
 *
 * Whoever moved a line to FETCH, UNPROT or DROP owns it until it moves it on; others wait (hostvm.relax) and look again.
 * The location of a line in FETCH or UNPROT is its owner's alone: it may end, and its frame be used anew, before the word
 * moves on.
 * An owner never waits for another line, lock or message. CLEANING is not owned: program writes win.
 */
#ifndef PCOMPONENT_EXCACHE_LINE_H
#define PCOMPONENT_EXCACHE_LINE_H
#include <stdbool.h>
#include <stdint.h>

enum line_state { LINE_AWAY, LINE_FETCH, LINE_CLEAN, LINE_DIRTY, LINE_UNPROT, LINE_CLEANING, LINE_DROP, LINE_STATES };

/*
 * The word: state in bits 0..3, location in 4..37, history in 38..43 (history.h), generation in 44..63. Generation: the
 * epoch of reclaim in which the line became resident, never 0; 0 where it is not resident. It tells a stale queue entry
 * from a live one, and old from young. The history of a line of zeros is nothing, so that its word is 0.
 */
#define LINE_LOC_BITS 34
#define LINE_HISTORY_BITS 6
#define LINE_GEN_BITS 20
#define LINE_LOC_MASK ((1ULL << LINE_LOC_BITS) - 1)
#define LINE_HISTORY_SHIFT (4 + LINE_LOC_BITS)
#define LINE_HISTORY_MASK ((1u << LINE_HISTORY_BITS) - 1)
#define LINE_GEN_SHIFT (LINE_HISTORY_SHIFT + LINE_HISTORY_BITS)
#define LINE_GEN_MASK ((1u << LINE_GEN_BITS) - 1)
#ifndef LINE_MODEL
#define LINE_BATCH 64u	    /* lines of one aligned segment, cleaned together */
#define LINE_EVICT_MAX 256u /* victims of one line_evict */
#endif

struct hostvm;

/* One resident line, as queues know it. */
struct line_ref {
	uint64_t vpn;
	uint32_t gen;
	bool gone; /* set by line_evict: no longer resident as this generation */
};

static inline uint64_t line_word(enum line_state s, uint64_t loc, uint32_t history, uint32_t gen)
{
	return (uint64_t)s | loc << 4 | (uint64_t)history << LINE_HISTORY_SHIFT | (uint64_t)gen << LINE_GEN_SHIFT;
}
static inline enum line_state line_state(uint64_t w)
{
	return (enum line_state)(w & 15);
}
static inline uint64_t line_loc(uint64_t w)
{
	return w >> 4 & LINE_LOC_MASK;
}
static inline uint32_t line_history(uint64_t w)
{
	return (uint32_t)(w >> LINE_HISTORY_SHIFT) & LINE_HISTORY_MASK;
}
static inline uint32_t line_gen(uint64_t w)
{
	return (uint32_t)(w >> LINE_GEN_SHIFT);
}
/* The same residence in another state. */
static inline uint64_t line_to(uint64_t w, enum line_state s, uint64_t loc)
{
	return line_word(s, loc, line_history(w), line_gen(w));
}
static inline bool line_resident(uint64_t w)
{
	return line_gen(w) != 0;
}
/* Somebody is at work on it (never true while faults are excluded). */
static inline bool line_in_transit(uint64_t w)
{
	return line_state(w) != LINE_AWAY && line_state(w) != LINE_CLEAN && line_state(w) != LINE_DIRTY;
}
/* Epochs since the line became resident. */
static inline uint32_t line_age(uint32_t now, uint32_t gen)
{
	return (now - gen) & LINE_GEN_MASK;
}

/*
 * Resolve a fault at vpn, for reading or writing; `end` is the vpn after the mapping, `grow` how many zero lines from vpn
 * on may be filled when vpn is one. Returns:
 *	> 0	   resolved by making so many lines resident (1, or up to grow)
 *	0	   resolved without (protection, or another thread was faster)
 *	-EAGAIN	   hostvm had no room for one more line: make some and call again
 *	-errno	   of the transfer; the line is as before
 */
int line_fault(const struct hostvm *hv, void *host, uint64_t vpn, bool write, uint64_t end, unsigned grow);

/*
 * Evictor only (one thread at a time): make the n <= LINE_EVICT_MAX lines of v (ascending vpn) not resident, writing back what is dirty, by
 * segments: old dirty neighbours may be cleaned along. Sets v[].gone where a line is no
 * longer what v says. 0, or -errno of the write-back (what could be dropped nevertheless is).
 */
int line_evict(const struct hostvm *hv, void *host, struct line_ref *v, unsigned n);

/*
 * Evictor only: move lines out of the frames that they are in, so that a slab becomes free. Of n lines those that are not
 * resident get the frames from loc on in turn; clean ones become dirty. Skips what changes meanwhile. *used: of the
 * frames, from loc on, so many were written, the caller has the others back. Returns how many old ones were freed, or
 * -errno of the transfer: nothing was moved, but clean ones are dirty, and the *used frames must not be used again.
 */
int line_relocate(const struct hostvm *hv, void *host, const uint64_t *vpn, unsigned n, uint64_t loc, unsigned frames,
		  unsigned *used);

/*
 * Layout, while faults are excluded: nothing is in transit, and what hostvm.frame_stale queued has been taken in.
 * forget: the page's contents are gone; true if it was resident. take: the page is present and was no line; as dirty.
 * move: the host moved the page of `from` to `to` (a word of 0); true if it is resident there, as generation gen.
 */
bool line_forget(const struct hostvm *hv, void *host, uint64_t vpn);
bool line_take(const struct hostvm *hv, void *host, uint64_t vpn, uint32_t gen);
bool line_move(const struct hostvm *hv, void *host, uint64_t from, uint64_t to, uint32_t gen);

/* ---- access to the word: the model puts its own in place ---- */

#ifdef LINE_MODEL
uint64_t line_load(uint64_t *word);
void line_store(uint64_t *word, uint64_t v);
bool line_cas(uint64_t *word, uint64_t old, uint64_t v);
#else
static inline uint64_t line_load(uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
/* Give up ownership: all that was done to the line is seen by whoever loads the new word. */
static inline void line_store(uint64_t *word, uint64_t v)
{
	__atomic_store_n(word, v, __ATOMIC_RELEASE);
}
static inline bool line_cas(uint64_t *word, uint64_t old, uint64_t v)
{
	return __atomic_compare_exchange_n(word, &old, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
#endif

#endif
