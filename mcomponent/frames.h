/*
 * Frames as numbers: how many there are, who has how many, what is promised. Where they lie is the business of slabs.
 *
 * Two kinds of accounts. A *promised* one has its quota set aside: nobody else can take it. A *best-effort* one (its
 * quota is the whole component) takes what is free and not promised. The sum of all grants never exceeds the total.
 */
#ifndef MCOMPONENT_FRAMES_H
#define MCOMPONENT_FRAMES_H
#include <stdbool.h>
#include <stdint.h>

struct frames {
	uint64_t total;
	uint64_t granted;  /* to all */
	uint64_t reserved; /* promised and not yet granted */
};

struct account {
	uint64_t quota, granted;
	bool promised;
};

/* 0, or -ENOMEM: so much cannot be promised. */
int mframes_promise(struct frames *, struct account *, uint64_t quota);
void mframes_promise_end(struct frames *, struct account *); /* its grants are all given back */
/* 0; -EDQUOT: above the account's quota; -ENOMEM: not that many are left. */
int mframes_take(struct frames *, struct account *, uint64_t n);
void mframes_give(struct frames *, struct account *, uint64_t n);

#endif
