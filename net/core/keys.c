/*
 * Keys that arrived. A peer may push keys that nobody asked for: those not taken up are bounded, the oldest gives way (it
 * belongs to a reply that nobody waits for any more). Those taken up are kept in the list as long as they are in use, so
 * that the owner's word of their end finds them.
 */
#include <errno.h>
#include <stdlib.h>
#include "net/core/keys.h"

#define PRUNE_MIN 64u

void net_keys_init(struct net_keys *keys, struct net_stats *stats)
{
	*keys = (struct net_keys){ .stats = stats };
	list_init(&keys->list);
}

void net_grant_put(struct net_grant *g)
{
	if (__atomic_sub_fetch(&g->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(g);
}

static void grant_forget(struct net_keys *keys, struct net_grant *g)
{
	list_del(&g->link);
	keys->n--;
	keys->waiting -= !g->taken;
	net_grant_put(g);
}

/* Keys whose remote is closed: nobody needs to hear of their end. */
static void grants_prune(struct net_keys *keys)
{
	for (struct list *l = keys->list.next, *next; l != &keys->list; l = next) {
		struct net_grant *g = container_of(l, struct net_grant, link);

		next = l->next;
		if (g->taken && __atomic_load_n(&g->refs, __ATOMIC_ACQUIRE) == 1)
			grant_forget(keys, g);
	}
	keys->prune_at = 2 * keys->n > PRUNE_MIN ? 2 * keys->n : PRUNE_MIN;
}

static void oldest_waiting_forget(struct net_keys *keys)
{
	for (struct list *l = keys->list.next; l != &keys->list; l = l->next) {
		struct net_grant *g = container_of(l, struct net_grant, link);

		if (g->taken)
			continue;
		net_count(&keys->stats->failures, 1);
		grant_forget(keys, g);
		return;
	}
}

bool net_keys_add(struct net_keys *keys, const struct net_key_body *k)
{
	struct net_grant *g;

	if (!k->access || k->access & ~(uint64_t)(NET_READ | NET_WRITE) || !k->bytes || k->addr + k->bytes < k->addr)
		return false;
	if (keys->waiting == NET_KEYS_MAX)
		oldest_waiting_forget(keys);
	if (keys->n >= keys->prune_at)
		grants_prune(keys);
	g = calloc(1, sizeof(*g));
	if (!g) {
		/* Taking up this key will fail. */
		net_count(&keys->stats->failures, 1);
		return true;
	}
	g->refs = 1;
	g->access = (unsigned)k->access;
	g->k = *k;
	list_add_tail(&keys->list, &g->link);
	keys->n++;
	keys->waiting++;
	return true;
}

static struct net_grant *grant_find(struct net_keys *keys, const uint64_t id[2])
{
	for (struct list *l = keys->list.next; l != &keys->list; l = l->next) {
		struct net_grant *g = container_of(l, struct net_grant, link);

		if (g->k.id[0] == id[0] && g->k.id[1] == id[1])
			return g;
	}
	return NULL;
}

bool net_keys_closed(struct net_keys *keys, const struct net_closed_body *b)
{
	struct net_grant *g = grant_find(keys, b->id);

	if (!b->access || b->access & ~(uint64_t)(NET_READ | NET_WRITE))
		return false;
	if (g)
		__atomic_fetch_and(&g->access, ~(unsigned)b->access, __ATOMIC_RELEASE);
	return true;
}

int net_keys_take(struct net_keys *keys, const struct net_key *key, uint64_t bytes, struct net_grant **out)
{
	struct net_grant *g = grant_find(keys, key->w);

	if (!g || g->taken)
		return -EACCES;
	if (bytes > g->k.bytes)
		return -ERANGE;
	g->taken = true;
	keys->waiting--;
	net_grant_get(g);
	*out = g;
	return 0;
}

void net_keys_drop(struct net_keys *keys)
{
	while (!list_empty(&keys->list))
		grant_forget(keys, container_of(keys->list.next, struct net_grant, link));
}
