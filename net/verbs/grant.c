/*
 * Keys given away, owner's side, and the lanes that came for them. A key tells its peer how to reach the region; the tie
 * between connection and protection domain is what lets his lanes in. When a key is closed the peer is told, so that his
 * transfers fail by themselves; one that goes on all the same is refused by the device, which ends its lane.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "net/verbs/verbs.h"

static struct net_tie *tie_get(struct vb_conn *c, struct vb_pd *pd)
{
	struct vb_net *net = vb_net(c->base.net);

	/* Only a net with a loop listens; without one, connections may belong to several threads. */
	return net_tie_get(&c->ties, &pd->ties, net->base.opt.loop ? &net->ties : NULL, &c->base, &pd->base);
}

void vb_tie_close(struct net_tie *t)
{
	while (!list_empty(&t->ends))
		vb_end_close(container_of(t->ends.next, struct vb_end, of_tie));
	net_tie_free(t);
}

static int key_fill(struct vb_mr *mr, const struct net_tie *t, unsigned access, struct net_key_body *k)
{
	*k = (struct net_key_body){ .bytes = mr->base.bytes, .access = access };
	memcpy(k->token, t->token, sizeof(k->token));
	if (access & NET_READ)
		k->read_key = mr->read->rkey;
	if (access & NET_WRITE)
		k->write_key = mr->write->rkey;
	return net_random(k->id, 2);
}

int vb_mr_grant(struct net_mr *base, struct net_conn *to, unsigned access, struct net_key *key)
{
	struct vb_mr *mr = container_of(base, struct vb_mr, base);
	struct vb_conn *c = vb_conn(to);
	struct net_key_body k;
	struct net_given *g;
	struct net_tie *t;
	int err;

	if (mr->sealed && access & NET_WRITE)
		return -EACCES;
	g = calloc(1, sizeof(*g));
	t = tie_get(c, mr->pd);
	err = g && t ? vb_mr_register(mr, access) : -ENOMEM;
	if (!err)
		err = key_fill(mr, t, access, &k);
	if (!err)
		err = vb_send_key(c, &k);
	if (err) {
		free(g);
		return err;
	}
	net_given_add(g, &mr->given, &c->given, to, &k, key);
	return 0;
}

static void closed_tell(struct net_conn *conn, const struct net_closed_body *b)
{
	vb_send_control(vb_conn(conn), VB_CLOSED, b, sizeof(*b));
}

void vb_given_close(struct vb_mr *mr, unsigned access)
{
	net_given_close(&mr->given, access, closed_tell);
}

/* ---- lanes that come for them ---- */

static struct vb_end *end_new(struct net_tie *t)
{
	struct vb_net *net = vb_net(t->conn->net);
	struct vb_pd *pd = container_of(t->pd, struct vb_pd, base);
	struct vb_end *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->link.what = VB_IS_END;
	e->link.net = net;
	e->link.spec = (struct vb_spec){ .pd = pd->pd, .cq = net->sink, .sq = 1, .sge = 1, .reached = true };
	e->tie = t;
	list_add_tail(&t->ends, &e->of_tie);
	t->n_ends++;
	return e;
}

void vb_end_refusal(struct vb_end *e)
{
	if (e->counted)
		return;
	e->counted = true;
	net_count(&e->link.net->base.stats.failures, 1);
}

void vb_end_close(struct vb_end *e)
{
	/* Not every device tells of a refused transfer, but the queue pair is in error then. */
	if (vb_link_refused(&e->link))
		vb_end_refusal(e);
	vb_link_close(&e->link);
	list_del(&e->of_tie);
	e->tie->n_ends--;
	free(e);
}

int vb_end_accept(struct net_tie *t, const struct vb_event *event)
{
	struct vb_end *e = end_new(t);
	int err;

	if (!e) {
		rdma_reject(event->id, NULL, 0);
		rdma_destroy_id(event->id);
		return -ENOMEM;
	}
	err = vb_link_accept(&e->link, event);
	if (!err)
		return 0;
	/* EINVAL: whoever asked has given up meanwhile. */
	if (err != -EINVAL)
		log_error("a data connection is lost: %s", strerror(-err));
	vb_end_close(e);
	return err;
}

bool vb_end_connect(struct vb_conn *c, const struct vb_lane_body *b)
{
	struct net_tie *t = NULL;
	struct vb_end *e;

	if (!c->active)
		return false;
	for (struct list *l = c->ties.next; l != &c->ties && !t; l = l->next) {
		t = container_of(l, struct net_tie, of_conn);
		if (memcmp(t->token, b->token, sizeof(t->token)) != 0)
			t = NULL;
	}
	/* No tie: its domain was closed meanwhile, and the keys with it. */
	if (!t || t->n_ends >= VB_ENDS_MAX)
		return true;
	e = end_new(t);
	if (!e)
		return true;
	e->link.hello = (struct vb_hello){ .magic = VB_MAGIC, .version = VB_VERSION, .kind = VB_HELLO_BACK };
	memcpy(e->link.hello.token, b->secret, sizeof(b->secret));
	if (vb_link_connect(&e->link, c->channel, &c->peer))
		vb_end_close(e);
	return true;
}

void vb_end_event(struct vb_end *e, const struct vb_event *event)
{
	int err;

	if (!e->link.up) {
		err = vb_link_step(&e->link, event);
		if (err && err != -EAGAIN)
			vb_end_close(e);
	} else if (event->type == RDMA_CM_EVENT_DISCONNECTED || event->type == RDMA_CM_EVENT_DEVICE_REMOVAL) {
		vb_end_close(e);
	}
}
