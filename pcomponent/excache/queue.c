/* See queue.h. */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include "pcomponent/excache/queue.h"

static uint64_t queue_pack(uint64_t vpn, uint32_t gen)
{
	return vpn << LINE_GEN_BITS | gen;
}

static struct line_ref queue_unpack(uint64_t e)
{
	return (struct line_ref){ .vpn = e >> LINE_GEN_BITS, .gen = (uint32_t)(e & LINE_GEN_MASK) };
}

static uint64_t *entries_map(uint64_t size)
{
	void *p = mmap(NULL, size * sizeof(uint64_t), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int queue_open(struct queue *q, uint64_t lines, policy_live_fn *live)
{
	uint64_t size = 512;

	while (size < lines)
		size *= 2;
	*q = (struct queue){ .entry = entries_map(size), .size = size, .live = live };
	return q->entry ? 0 : -ENOMEM;
}

void queue_close(struct queue *q)
{
	if (q->entry)
		(void)munmap(q->entry, q->size * sizeof(uint64_t));
	q->entry = NULL;
}

/* Keep what is live, in order. */
static void queue_purge(struct queue *q)
{
	uint64_t kept = q->tail;

	for (uint64_t i = q->tail; i != q->head; i++) {
		uint64_t e = q->entry[i & (q->size - 1)];
		struct line_ref ref = queue_unpack(e);

		if (q->live(ref.vpn, ref.gen))
			q->entry[kept++ & (q->size - 1)] = e;
	}
	q->head = kept;
}

static int queue_grow(struct queue *q)
{
	uint64_t *larger = entries_map(q->size * 2);

	if (!larger)
		return -ENOMEM;
	for (uint64_t i = q->tail; i != q->head; i++)
		larger[i & (q->size * 2 - 1)] = q->entry[i & (q->size - 1)];
	(void)munmap(q->entry, q->size * sizeof(uint64_t));
	q->entry = larger;
	q->size *= 2;
	return 0;
}

int queue_push(struct queue *q, uint64_t vpn, uint32_t gen)
{
	if (queue_length(q) == q->size) {
		queue_purge(q);
		/* Hardly anything was stale: the next purge would soon come. */
		if (queue_length(q) > q->size / 2) {
			int err = queue_grow(q);

			if (err && queue_length(q) == q->size)
				return err;
		}
	}
	q->entry[q->head++ & (q->size - 1)] = queue_pack(vpn, gen);
	return 0;
}

bool queue_pop(struct queue *q, struct line_ref *out)
{
	while (q->tail != q->head) {
		*out = queue_unpack(q->entry[q->tail++ & (q->size - 1)]);
		if (q->live(out->vpn, out->gen))
			return true;
	}
	return false;
}
