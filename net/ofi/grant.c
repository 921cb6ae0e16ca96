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

static struct net_tie *tie_get(struct ofi_conn *c, struct ofi_pd *pd)
{
	struct ofi_net *net = ofi_net(c->base.net);

	return net_tie_get(&c->ties, &pd->ties, &net->ties, &c->base, &pd->base);
}

void ofi_tie_close(struct net_tie *t)
{
	while (!list_empty(&t->ends))
		ofi_end_close(container_of(t->ends.next, struct ofi_end, link));
	net_tie_free(t);
}

static int key_fill(struct ofi_mr *mr, const struct net_tie *t, unsigned access, struct net_key_body *k)
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

int ofi_mr_grant(struct net_mr *base, struct net_conn *to, unsigned access, struct net_key *key)
{
	struct ofi_mr *mr = container_of(base, struct ofi_mr, base);
	struct ofi_conn *c = ofi_conn(to);
	struct net_key_body k;
	struct net_given *g;
	struct net_tie *t;
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
	net_given_add(g, &mr->given, &c->given, to, &k, key);
	return 0;
}

static void closed_tell(struct net_conn *conn, const struct net_closed_body *b)
{
	ofi_send_control(ofi_conn(conn), OFI_CLOSED, b, sizeof(*b));
}

void ofi_given_close(struct ofi_mr *mr, unsigned access)
{
	net_given_close(&mr->given, access, closed_tell);
}

static int end_new(struct net_tie *t, struct fi_info *info, struct ofi_end **out)
{
	struct ofi_net *net = ofi_net(t->conn->net);
	struct ofi_pd *pd = container_of(t->pd, struct ofi_pd, base);
	struct ofi_end *e;
	int err;

	if (t->n_ends == OFI_ENDS_MAX)
		return -EAGAIN;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->context.what = OFI_IS_END;
	e->tie = t;
	err = ofi_ep_open(pd->domain, info, net->eq.eq, pd->cq.cq, &e->context, &e->ep);
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
	ofi_events_forget(ofi_net(e->tie->conn->net), &e->ep->fid);
	ofi_fid_close(&e->ep->fid);
	list_del(&e->link);
	e->tie->n_ends--;
	free(e);
}

int ofi_end_accept(struct net_tie *t, struct fi_info *info)
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
	struct net_tie *t = net_tie_find(&ofi_net(c->base.net)->ties, b->token);
	struct ofi_end *e;

	if (!c->active || (t && t->conn != &c->base))
		return false;
	/* No tie: its domain was closed meanwhile, and the keys with it. */
	if (!t || end_new(t, c->info, &e))
		return true;
	memcpy(hello.token, b->secret, sizeof(hello.token));
	if (fi_connect(e->ep, c->info->dest_addr, &hello, sizeof(hello)))
		ofi_end_close(e);
	return true;
}
