/*
 * Histogram of durations: 8 buckets per power of two (12 % wide), nanoseconds. Fixed size, no pointers, so that it may
 * lie in a shared statistics page. One writer; a reader in another process may see a sample half counted.
 */
#ifndef ASHLAR_BASE_HIST_H
#define ASHLAR_BASE_HIST_H
#include <stdint.h>

#define HIST_SUB 8u
#define HIST_BUCKETS (HIST_SUB * 40u)

struct hist {
	uint64_t count, max_ns;
	uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t ns);
void hist_merge(struct hist *into, const struct hist *from);

/* Value at quantile q in [0,1]: the middle of its bucket; 0 when empty. */
uint64_t hist_quantile(const struct hist *h, double q);

#endif
