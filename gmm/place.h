/*
 * Placement: which components a process gets. A policy is one file, chosen by name at run time; it sees offers and makes
 * decisions, and has no effect otherwise.
 */
#ifndef GMM_PLACE_H
#define GMM_PLACE_H
#include <stdbool.h>
#include <stdint.h>

/* One component that is up. */
struct place_offer {
	uint64_t bytes;	    /* size */
	uint64_t promised;  /* of it, to processes by us */
	uint64_t used;	    /* as it reported last */
	uint32_t processes; /* placed there by us */
	uint32_t latency_class;
	uint64_t share; /* out: bytes that the process may take there; 0: not chosen */
};

struct place_policy {
	const char *name;
	/* Which of n (> 0) processor components. */
	unsigned (*processor)(const struct place_offer *, unsigned n);
	/*
	 * Spread `promise` bytes (whole pages) over at most max of n memory components: sum of shares = promise, each
	 * within what is not promised yet. promise 0: no promise; the chosen ones get their whole size as share.
	 * 0, or -ENOMEM: that much is not there.
	 */
	int (*memory)(struct place_offer *, unsigned n, unsigned max, uint64_t promise);
};

/* NULL name: the default. NULL: no such policy. */
const struct place_policy *place_policy(const char *name);

extern const struct place_policy place_balance;

#endif
