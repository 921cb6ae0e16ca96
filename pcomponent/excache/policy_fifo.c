/* FIFO: what came first leaves first. A line that is dirtied again while it is cleaned goes round once more. */
#include <errno.h>
#include <stdlib.h>
#include "pcomponent/excache/policies.h"
#include "pcomponent/excache/queue.h"

struct policy {
	struct queue lines;
};

static int fifo_open(uint64_t lines, policy_live_fn *live, struct policy **out)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	if (queue_open(&p->lines, lines, live)) {
		free(p);
		return -ENOMEM;
	}
	*out = p;
	return 0;
}

static void fifo_close(struct policy *p)
{
	queue_close(&p->lines);
	free(p);
}

static int fifo_admit(struct policy *p, uint64_t vpn, uint32_t gen)
{
	return queue_push(&p->lines, vpn, gen);
}

static unsigned fifo_victims(struct policy *p, struct line_ref *v, unsigned n)
{
	unsigned got = 0;

	while (got < n && queue_pop(&p->lines, &v[got]))
		got++;
	return got;
}

const struct policy_ops policy_fifo = {
	.name = "fifo",
	.open = fifo_open,
	.close = fifo_close,
	.admit = fifo_admit,
	.victims = fifo_victims,
	.retain = fifo_admit,
};
