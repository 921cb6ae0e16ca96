/* The memory monitor as an object: opening, closing, its numbers. */
#include <errno.h>
#include <stdlib.h>
#include "ashlar/base/log.h"
#include "mcomponent/internal.h"

int mcomponent_open(const struct mcomponent_config *config, struct mcomponent **out)
{
	struct mcomponent *m;

	if (config->bytes < PAGE_BYTES)
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	if (peers_open(&m->peers, config->loop, KIND_MEMORY, &mcomponent_service, config->counters)) {
		free(m);
		return -ENOMEM;
	}
	m->loop = config->loop;
	m->net = config->net;
	m->changed = config->changed;
	m->changed_arg = config->changed_arg;
	m->frames.total = config->bytes / PAGE_BYTES;
	m->slab_next = 1;
	loop_random(m->loop, &m->seed, sizeof(m->seed));
	list_init(&m->trees);
	list_init(&m->dying);
	*out = m;
	return 0;
}

void mcomponent_close(struct mcomponent *m)
{
	if (!m)
		return;
	mtree_release_all(m);
	peers_close(&m->peers);
	free(m);
}

void mcomponent_load(void *ctx, struct x2g_beat_req *beat)
{
	const struct mcomponent *m = ctx;

	beat->used_bytes = m->frames.granted * PAGE_BYTES;
	beat->processes = m->n_trees;
}

void mcomponent_usage(void *ctx, const uint32_t *pids, uint32_t n, struct process_usage *rows)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct mtree *t = mtree_find(ctx, pids[i]);

		if (t)
			rows[i].bytes = t->account.granted * PAGE_BYTES;
	}
}

void mcomponent_stat(const struct mcomponent *m, struct mcomponent_stat *s)
{
	s->bytes = m->frames.total * PAGE_BYTES;
	s->granted_bytes = m->frames.granted * PAGE_BYTES;
	s->promised_bytes = m->frames.reserved * PAGE_BYTES;
	s->refused = m->refused;
	s->processes = m->n_trees;
	s->connections = m->peers.n;
}
