/*
 * Keys that arrived. A peer may push keys that nobody asked for: those not taken up are bounded, the oldest gives way (it
 * belongs to a reply that nobody waits for any more). Those taken up are kept in the list as long as they are in use, so
 * that the owner's word of their end finds them.
 */
#include <errno.h>
#include <stdlib.h>
#include "net/ofi/ofi.h"

#define PRUNE_MIN 64u

void ofi_grant_put(struct ofi_grant *g)
{
	if (__atomic_sub_fetch(&g->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(g);
}

static void grant_forget(struct ofi_conn *c, struct ofi_grant *g)
{
	list_del(&g->link);
	c->n_grants--;
	c->n_waiting -= !g->taken;
	ofi_grant_put(g);
}

/* Keys whose remote is closed: nobody needs to hear of their end. */
static void grants_prune(struct ofi_conn *c)
{
	for (struct list *l = c->grants.next, *next; l != &c->grants; l = next) {
		struct ofi_grant *g = container_of(l, struct ofi_grant, link);

		next = l->next;
		if (g->taken && __atomic_load_n(&g->refs, __ATOMIC_ACQUIRE) == 1)
			grant_forget(c, g);
	}
	c->prune_at = 2 * c->n_grants > PRUNE_MIN ? 2 * c->n_grants : PRUNE_MIN;
}

static void oldest_waiting_forget(struct ofi_conn *c)
{
	for (struct list *l = c->grants.next; l != &c->grants; l = l->next) {
		struct ofi_grant *g = container_of(l, struct ofi_grant, link);

		if (g->taken)
			continue;
		net_count(&c->base.net->stats.failures, 1);
		grant_forget(c, g);
		return;
	}
}

bool ofi_keys_add(struct ofi_conn *c, const struct ofi_key_body *k)
{
	struct ofi_grant *g;

	if (!k->access || k->access & ~(uint64_t)(NET_READ | NET_WRITE) || !k->bytes || k->addr + k->bytes < k->addr)
		return false;
	if (c->n_waiting == OFI_KEYS_MAX)
		oldest_waiting_forget(c);
	if (c->n_grants >= c->prune_at)
		grants_prune(c);
	g = calloc(1, sizeof(*g));
	if (!g) {
		/* Taking up this key will fail. */
		net_count(&c->base.net->stats.failures, 1);
		return true;
	}
	g->refs = 1;
	g->access = (unsigned)k->access;
	g->k = *k;
	list_add_tail(&c->grants, &g->link);
	c->n_grants++;
	c->n_waiting++;
	return true;
}

static struct ofi_grant *grant_find(struct ofi_conn *c, const uint64_t id[2])
{
	for (struct list *l = c->grants.next; l != &c->grants; l = l->next) {
		struct ofi_grant *g = container_of(l, struct ofi_grant, link);

		if (g->k.id[0] == id[0] && g->k.id[1] == id[1])
			return g;
	}
	return NULL;
}

bool ofi_keys_closed(struct ofi_conn *c, const struct ofi_closed_body *b)
{
	struct ofi_grant *g = grant_find(c, b->id);

	if (!b->access || b->access & ~(uint64_t)(NET_READ | NET_WRITE))
		return false;
	if (g)
		__atomic_fetch_and(&g->access, ~(unsigned)b->access, __ATOMIC_RELEASE);
	return true;
}

int ofi_keys_take(struct ofi_conn *c, const struct net_key *key, uint64_t bytes, struct ofi_grant **out)
{
	struct ofi_grant *g = grant_find(c, key->w);

	if (!g || g->taken)
		return -EACCES;
	if (bytes > g->k.bytes)
		return -ERANGE;
	g->taken = true;
	c->n_waiting--;
	__atomic_fetch_add(&g->refs, 1, __ATOMIC_RELAXED);
	*out = g;
	return 0;
}

void ofi_keys_drop(struct ofi_conn *c)
{
	while (!list_empty(&c->grants))
		grant_forget(c, container_of(c->grants.next, struct ofi_grant, link));
}
