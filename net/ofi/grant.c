/*
 * Keys given away, owner's side, and the lanes that came for them. A key tells its peer how to reach the region; the tie
 * between connection and protection domain is what lets his lanes in. When a key is closed the peer is told, so that his
 * transfers fail by themselves; one that goes on all the same is refused by libfabric, which ends its lane.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "net/ofi/ofi.h"

static struct ofi_tie *tie_get(struct ofi_conn *c, struct ofi_pd *pd)
{
	struct ofi_net *net = ofi_net(c->base.net);
	struct ofi_tie *t;

	for (struct list *l = c->ties.next; l != &c->ties; l = l->next) {
		t = container_of(l, struct ofi_tie, of_conn);
		if (t->pd == pd)
			return t;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	if (net_random(t->token, 2)) {
		free(t);
		return NULL;
	}
	t->conn = c;
	t->pd = pd;
	list_init(&t->ends);
	list_add_tail(&net->ties, &t->of_net);
	list_add_tail(&c->ties, &t->of_conn);
	list_add_tail(&pd->ties, &t->of_pd);
	return t;
}

void ofi_tie_close(struct ofi_tie *t)
{
	while (!list_empty(&t->ends))
		ofi_end_close(container_of(t->ends.next, struct ofi_end, link));
	list_del(&t->of_net);
	list_del(&t->of_conn);
	list_del(&t->of_pd);
	free(t);
}

struct ofi_tie *ofi_tie_find(struct ofi_net *net, const uint64_t token[2])
{
	for (struct list *l = net->ties.next; l != &net->ties; l = l->next) {
		struct ofi_tie *t = container_of(l, struct ofi_tie, of_net);

		if (t->token[0] == token[0] && t->token[1] == token[1])
			return t;
	}
	return NULL;
}

static int key_fill(struct ofi_mr *mr, const struct ofi_tie *t, unsigned access, struct net_key_body *k)
{
	*k = (struct net_key_body){ .bytes = mr->base.bytes, .access = access };
	memcpy(k->token, t->token, sizeof(k->token));
	if (ofi_net(mr->base.net)->virt_addr)
		k->addr = (uintptr_t)mr->wire;
	if (access & NET_READ)
		k->read_key = fi_mr_key(mr->read);
	if (access & NET_WRITE)
		k->write_key = fi_mr_key(mr->write);
	return net_random(k->id, 2);
}

static void given_drop(struct ofi_given *g)
{
	list_del(&g->of_mr);
	list_del(&g->of_conn);
	free(g);
}

int ofi_mr_grant(struct net_mr *base, struct net_conn *to, unsigned access, struct net_key *key)
{
	struct ofi_mr *mr = container_of(base, struct ofi_mr, base);
	struct ofi_conn *c = ofi_conn(to);
	struct net_key_body k;
	struct ofi_given *g;
	struct ofi_tie *t;
	int err;

	if (!base->net->opt.loop)
		return -ENOTSUP; /* nobody would answer the peer's transfers */
	if (mr->sealed && access & NET_WRITE)
		return -EACCES;
	g = calloc(1, sizeof(*g));
	t = tie_get(c, mr->pd);
	err = g && t ? ofi_mr_register(mr, access) : -ENOMEM;
	if (!err)
		err = key_fill(mr, t, access, &k);
	if (!err)
		err = ofi_send_key(c, &k);
	if (err) {
		free(g);
		return err;
	}
	*g = (struct ofi_given){ .conn = c, .id = { k.id[0], k.id[1] }, .access = access };
	list_add_tail(&mr->given, &g->of_mr);
	list_add_tail(&c->given, &g->of_conn);
	*key = (struct net_key){ { k.id[0], k.id[1], k.bytes, k.access } };
	return 0;
}

void ofi_given_close(struct ofi_mr *mr, unsigned access)
{
	for (struct list *l = mr->given.next, *next; l != &mr->given; l = next) {
		struct ofi_given *g = container_of(l, struct ofi_given, of_mr);
		struct net_closed_body b = { { g->id[0], g->id[1] }, g->access & access };

		next = l->next;
		g->access &= ~access;
		if (b.access)
			ofi_send_control(g->conn, OFI_CLOSED, &b, sizeof(b));
		if (!g->access)
			given_drop(g);
	}
}

void ofi_given_drop(struct ofi_conn *c)
{
	while (!list_empty(&c->given))
		given_drop(container_of(c->given.next, struct ofi_given, of_conn));
}

static int end_new(struct ofi_tie *t, struct fi_info *info, struct ofi_end **out)
{
	struct ofi_net *net = ofi_net(t->conn->base.net);
	struct ofi_end *e;
	int err;

	if (t->n_ends == OFI_ENDS_MAX)
		return -EAGAIN;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->context.what = OFI_IS_END;
	e->tie = t;
	err = ofi_ep_open(t->pd->domain, info, net->eq.eq, t->pd->cq.cq, &e->context, &e->ep);
	if (err) {
		log_error("a data connection is lost: %s", strerror(-err));
		free(e);
		return err;
	}
	list_add_tail(&t->ends, &e->link);
	t->n_ends++;
	*out = e;
	return 0;
}

void ofi_end_close(struct ofi_end *e)
{
	ofi_events_forget(ofi_net(e->tie->conn->base.net), &e->ep->fid);
	ofi_fid_close(&e->ep->fid);
	list_del(&e->link);
	e->tie->n_ends--;
	free(e);
}

int ofi_end_accept(struct ofi_tie *t, struct fi_info *info)
{
	struct ofi_end *e;
	int err = end_new(t, info, &e);

	if (err)
		return err;
	err = fi_accept(e->ep, NULL, 0);
	if (err)
		ofi_end_close(e);
	return err;
}

bool ofi_end_connect(struct ofi_conn *c, const struct ofi_lane_body *b)
{
	struct ofi_hello hello = { .magic = OFI_MAGIC, .version = OFI_VERSION, .kind = OFI_HELLO_BACK };
	struct ofi_tie *t = ofi_tie_find(ofi_net(c->base.net), b->token);
	struct ofi_end *e;

	if (!c->active || (t && t->conn != c))
		return false;
	/* No tie: its domain was closed meanwhile, and the keys with it. */
	if (!t || end_new(t, c->info, &e))
		return true;
	memcpy(hello.token, b->secret, sizeof(hello.token));
	if (fi_connect(e->ep, c->info->dest_addr, &hello, sizeof(hello)))
		ofi_end_close(e);
	return true;
}
