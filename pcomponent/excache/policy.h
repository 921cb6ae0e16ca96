/*
 * Policy: which resident lines leave the ExCache. A policy is a module chosen by name; it is only called by the evictor
 * (reclaim.h) or with faults excluded, so it needs no locks. It holds (vpn, generation) pairs; those whose line is no
 * longer resident as that generation are stale: policies forget them when they meet them.
 */
#ifndef PCOMPONENT_EXCACHE_POLICY_H
#define PCOMPONENT_EXCACHE_POLICY_H
#include <stdbool.h>
#include <stdint.h>
#include "pcomponent/excache/line.h"

struct policy; /* a policy's own */

/* Is the line still resident as this generation? */
typedef bool policy_live_fn(uint64_t vpn, uint32_t gen);

struct policy_ops {
	const char *name;
	/* lines: budget. 0 or -ENOMEM. */
	int (*open)(uint64_t lines, policy_live_fn *live, struct policy **out);
	void (*close)(struct policy *);
	/* The line became resident. -ENOMEM: it is lost to the policy (the host has no memory left). */
	int (*admit)(struct policy *, uint64_t vpn, uint32_t gen);
	/* Up to n lines to evict next, taken out of the queues. */
	unsigned (*victims)(struct policy *, struct line_ref *v, unsigned n);
	/* A victim that could not be evicted (in use or dirty again): as if used just now. */
	int (*retain)(struct policy *, uint64_t vpn, uint32_t gen);
};

/* NULL: the default. NULL when there is none of that name. */
const struct policy_ops *policy_find(const char *name);

#endif
