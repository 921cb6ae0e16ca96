/* Keys given away: see given.h. */
#include <stdlib.h>
#include <string.h>
#include "net/core/given.h"
#include "net/core/life.h"

void net_given_add(struct net_given *g, struct list *of_mr, struct list *of_conn, struct net_conn *conn,
		   const struct net_key_body *k, struct net_key *key)
{
	*g = (struct net_given){ .conn = conn, .id = { k->id[0], k->id[1] }, .access = (unsigned)k->access };
	list_add_tail(of_mr, &g->of_mr);
	list_add_tail(of_conn, &g->of_conn);
	*key = (struct net_key){ { k->id[0], k->id[1], k->bytes, k->access } };
}

static void given_drop(struct net_given *g)
{
	list_del(&g->of_mr);
	list_del(&g->of_conn);
	free(g);
}

void net_given_close(struct list *of_mr, unsigned access,
		     void (*tell)(struct net_conn *, const struct net_closed_body *))
{
	for (struct list *l = of_mr->next, *next; l != of_mr; l = next) {
		struct net_given *g = container_of(l, struct net_given, of_mr);
		struct net_closed_body b = { { g->id[0], g->id[1] }, g->access & access };

		next = l->next;
		g->access &= ~access;
		if (b.access)
			tell(g->conn, &b);
		if (!g->access)
			given_drop(g);
	}
}

void net_given_drop(struct list *of_conn)
{
	while (!list_empty(of_conn))
		given_drop(container_of(of_conn->next, struct net_given, of_conn));
}

static struct net_tie *tie_new(struct net_conn *conn, struct net_pd *pd)
{
	struct net_tie *t = calloc(1, sizeof(*t));

	if (!t || net_random(t->token, 2)) {
		free(t);
		return NULL;
	}
	t->conn = conn;
	t->pd = pd;
	list_init(&t->ends);
	list_init(&t->of_net);
	return t;
}

struct net_tie *net_tie_get(struct list *of_conn, struct list *of_pd, struct list *of_net, struct net_conn *conn,
			    struct net_pd *pd)
{
	struct net_tie *t;

	for (struct list *l = of_conn->next; l != of_conn; l = l->next) {
		t = container_of(l, struct net_tie, of_conn);
		if (t->pd == pd)
			return t;
	}
	t = tie_new(conn, pd);
	if (!t)
		return NULL;
	if (of_net)
		list_add_tail(of_net, &t->of_net);
	list_add_tail(of_conn, &t->of_conn);
	list_add_tail(of_pd, &t->of_pd);
	return t;
}

struct net_tie *net_tie_find(const struct list *of_net, const uint64_t token[2])
{
	for (struct list *l = of_net->next; l != of_net; l = l->next) {
		struct net_tie *t = container_of(l, struct net_tie, of_net);

		if (t->token[0] == token[0] && t->token[1] == token[1])
			return t;
	}
	return NULL;
}

void net_tie_free(struct net_tie *t)
{
	list_del(&t->of_net);
	list_del(&t->of_conn);
	list_del(&t->of_pd);
	free(t);
}
