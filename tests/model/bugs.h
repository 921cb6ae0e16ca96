/* Planted bugs: each must be found. They sit in what surrounds the product's code, so that this stays as it is. */
#ifndef ASHLAR_TESTS_MODEL_BUGS_H
#define ASHLAR_TESTS_MODEL_BUGS_H
enum bug {
	BUG_NONE,
	BUG_NO_UNPROT,	      /* a writer takes the protection away without owning the line */
	BUG_NO_DROP,	      /* the evictor drops without owning the line */
	BUG_NO_FETCH,	      /* two threads may bring in one line */
	BUG_RESCUE_LOST,      /* the evictor's CLEANING -> CLEAN does not look for a rescue */
	BUG_PROTECT_LATE,     /* contents are read before the page is protected */
	BUG_COPY_WRITABLE,    /* pages are read in unprotected */
	BUG_NO_SPURIOUS,      /* a write fault on a dirty line does nothing */
	BUG_FREE_EARLY,	      /* a frame is free as soon as its fetch begins */
	BUG_FREE_TWICE,	      /* a rescued line's frame is kept in the word as well */
	BUG_FREE_NEVER,	      /* a rescued line's frame is not given back */
	BUG_STALE_LATE,	      /* a frame's end is told after the line is dirty */
	BUG_NO_RETAIN,	      /* victims that could not be evicted are forgotten */
	BUG_NO_ROOM,	      /* lines are brought in without room */
	BUG_FORK_UNPROTECTED, /* the child's pages are as the host leaves them */
	BUG_FORK_UNCOUNTED,   /* who puts a shared frame first frees it */
	BUG_FORK_STALE,	      /* ends of frames that were told before a fork are not heard before it */
	BUG_FORK_OPEN,	      /* frames of before a fork are taken again while the other has them */
	BUG_SHARED_ONE,	      /* shared memory is protected in one process only */
	BUG_SHARED_COPY,      /* what is read in is protected in the process that wanted it only */
	BUG_COUNT
};

static const char *const bug_name[BUG_COUNT] = {
	"none",
	"no UNPROT",
	"no DROP",
	"no FETCH",
	"rescue lost",
	"protect late",
	"copied writable",
	"no spurious faults",
	"frame freed early",
	"frame freed twice",
	"frame never freed",
	"stale told late",
	"victims not retained",
	"no room taken",
	"child unprotected",
	"shares not counted",
	"ends not heard before a fork",
	"shared frames reused",
	"protected in one process",
	"copied writable for others",
};

#endif
