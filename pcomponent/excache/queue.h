/*
 * Queue of resident lines for policies: (vpn, generation) pairs in order, growing as needed. When it is full it first
 * drops what is stale, so that programs that map and unmap for ever do not grow it.
 */
#ifndef PCOMPONENT_EXCACHE_QUEUE_H
#define PCOMPONENT_EXCACHE_QUEUE_H
#include "pcomponent/excache/policy.h"

struct queue {
	uint64_t *entry; /* packed by queue_pack */
	uint64_t size;	 /* power of two */
	uint64_t head, tail;
	policy_live_fn *live;
};

/* Room for `lines` entries to begin with. 0 or -ENOMEM. */
int queue_open(struct queue *, uint64_t lines, policy_live_fn *live);
void queue_close(struct queue *);
/* 0 or -ENOMEM. */
int queue_push(struct queue *, uint64_t vpn, uint32_t gen);
/* The oldest live entry; false when there is none. */
bool queue_pop(struct queue *, struct line_ref *out);

static inline uint64_t queue_length(const struct queue *q)
{
	return q->head - q->tail; /* stale ones included */
}

#endif
