/* Registered memory: regions, keys, sealing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "net/sim/world.h"

static struct sim_mr *mr_of(const struct net_mr *mr)
{
	return container_of(mr, struct sim_mr, base);
}

int sim_pd_open(struct net *base, struct net_pd **out)
{
	struct sim_pd *pd = sim_alloc(sizeof(*pd));

	pd->node = container_of(base, struct sim_net, base)->node;
	pd->open = true;
	sim_count_up(pd->node, pds);
	*out = &pd->base;
	return 0;
}

void sim_pd_close(struct net_pd *base)
{
	struct sim_pd *pd = container_of(base, struct sim_pd, base);

	BUG_ON(!pd->open || pd->regions);
	pd->open = false;
	sim_count_down(pd->node, pds);
}

int sim_mr_alloc(struct net_pd *base, uint64_t bytes, bool mapped, struct net_mr **out)
{
	struct sim_pd *pd = container_of(base, struct sim_pd, base);
	struct sim_mr *mr = sim_alloc(sizeof(*mr));

	BUG_ON(!pd->open);
	mr->mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mr->mem == MAP_FAILED)
		return -ENOMEM;
	mr->pd = pd;
	mr->mapped = mapped;
	mr->open = true;
	pd->regions++;
	sim_count_up(pd->node, mrs);
	sim.counts.mr_bytes += bytes;
	pd->node->counts.mr_bytes += bytes;
	*out = &mr->base;
	return 0;
}

void *sim_mr_addr(const struct net_mr *base)
{
	return mr_of(base)->mapped ? mr_of(base)->mem : NULL;
}

/* There is no other process that could map it. */
int sim_mr_fd(const struct net_mr *base)
{
	(void)base;
	return -ENOTSUP;
}

int sim_mr_grant(struct net_mr *base, struct net_conn *to, unsigned access, struct net_key *key)
{
	struct sim_conn *c = container_of(to, struct sim_conn, base);
	struct sim_mr *mr = mr_of(base);
	struct sim_key *k;

	BUG_ON(!mr->open || !c->open);
	if (c->dead || !c->peer)
		return -EPIPE;
	if (mr->sealed && access & NET_WRITE)
		return -EACCES;
	k = sim_alloc(sizeof(*k));
	k->w[0] = ++sim.key_next;
	for (unsigned i = 1; i < 4; i++)
		k->w[i] = sim_random();
	k->mr = mr;
	k->access = access;
	k->next = c->peer->keys;
	c->peer->keys = k;
	memcpy(key->w, k->w, sizeof(k->w));
	return 0;
}

int sim_mr_seal(struct net_mr *base)
{
	mr_of(base)->sealed = true;
	return 0;
}

bool sim_mr_sealed(const struct net_mr *base)
{
	return mr_of(base)->sealed;
}

int sim_mr_share(struct net_mr *base, struct net_pd *to, struct net_mr **out)
{
	struct sim_pd *pd = container_of(to, struct sim_pd, base);
	struct sim_mr *mr = sim_alloc(sizeof(*mr));

	BUG_ON(!pd->open || !mr_of(base)->open);
	*mr = (struct sim_mr){ .pd = pd, .mem = mr_of(base)->mem, .sealed = true, .open = true };
	pd->regions++;
	sim_count_up(pd->node, mrs);
	*out = &mr->base;
	return 0;
}

void sim_mr_free(struct net_mr *base)
{
	struct sim_mr *mr = mr_of(base);

	BUG_ON(!mr->open);
	mr->open = false;
	mr->pd->regions--;
	sim_count_down(mr->pd->node, mrs);
	if (!net_mr_last(base)) {
		if (sim.cfg.free_shared)
			memset(mr->mem, 0, base->bytes);
		mr->mem = NULL;
		return;
	}
	munmap(mr->mem, base->bytes);
	mr->mem = NULL;
	sim.counts.mr_bytes -= base->bytes;
	mr->pd->node->counts.mr_bytes -= base->bytes;
}
