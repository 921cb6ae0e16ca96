/*
 * Listening. A request says in its private data what it wants to be: a message connection, a lane to regions of ours
 * (let in by the token of a tie) or a lane that we asked for. What says nothing of the kind is turned away, and counted
 * as a failure; it gets no queue pair, so nothing that it sends is read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "net/verbs/verbs.h"

#define BACKLOG 256

static struct vb_listener *vb_listener(struct net_listener *l)
{
	return container_of(l, struct vb_listener, base);
}

static void reject(struct rdma_cm_id *id)
{
	rdma_reject(id, NULL, 0);
	rdma_destroy_id(id);
}

static void refuse(struct vb_net *net, struct vb_listener *l, const struct vb_event *e, const char *why)
{
	char from[ADDR_BYTES] = "?";

	net_count(&net->base.stats.failures, 1);
	net_place_name("verbs", rdma_get_peer_addr(e->id), from);
	if (!net->refusal_logged)
		log_warn("%s: connection from %s refused: %s (further ones are only counted)", l->addr, from, why);
	net->refusal_logged = true;
	reject(e->id);
}

static void conn_request(struct vb_net *net, struct vb_listener *l, const struct vb_event *e, const struct vb_hello *h)
{
	struct vb_conn *c;
	int err;

	if (__atomic_load_n(&net->conns, __ATOMIC_RELAXED) >= CONNECTIONS_MAX) {
		refuse(net, l, e, "too many connections");
		return;
	}
	err = vb_conn_new(net, false, &c);
	if (err) {
		log_error("%s: connection lost: %s", l->addr, strerror(-err));
		reject(e->id);
		return;
	}
	c->listener = l;
	list_add_tail(&l->accepting, &c->accepting);
	err = vb_proof_answer(c, h, rdma_get_local_addr(e->id));
	if (!err)
		err = vb_link_accept(&c->link, e);
	else
		reject(e->id);
	if (err) {
		log_error("%s: accept: %s", l->addr, strerror(-err));
		vb_conn_close(&c->base);
	}
}

/* What we say ends where the hello does; the wire fills up with zeros. */
static bool hello_read(const struct vb_event *e, struct vb_hello *h)
{
	if (e->private_len < sizeof(*h))
		return false;
	memcpy(h, e->private_data, sizeof(*h));
	for (size_t i = sizeof(*h); i < e->private_len; i++)
		if (e->private_data[i])
			return false;
	return h->magic == VB_MAGIC;
}

void vb_request(struct vb_net *net, struct vb_listener *l, const struct vb_event *e)
{
	struct vb_lane *lane;
	struct net_tie *tie;
	struct vb_hello h;

	if (!hello_read(e, &h)) {
		refuse(net, l, e, "not one of ours");
	} else if (h.version != VB_VERSION) {
		refuse(net, l, e, "it speaks another version");
	} else if (h.kind == VB_HELLO_CONN) {
		conn_request(net, l, e, &h);
	} else if (h.kind == VB_HELLO_LANE) {
		tie = net_tie_find(&net->ties, h.token);
		if (!tie)
			refuse(net, l, e, "wrong token for data");
		else if (tie->n_ends >= VB_ENDS_MAX)
			refuse(net, l, e, "too many data connections");
		else
			vb_end_accept(tie, e);
	} else if (h.kind == VB_HELLO_BACK) {
		lane = vb_lane_waiting(net, h.token);
		if (lane)
			vb_lane_accept(lane, e);
		else
			refuse(net, l, e, "nobody asked for this data connection");
	} else {
		refuse(net, l, e, "unknown kind");
	}
}

static void listener_free(struct vb_listener *l)
{
	vb_link_close(&l->link);
	free(l);
}

void vb_accepted(struct vb_conn *c)
{
	struct vb_listener *l = c->listener;

	c->listener = NULL;
	list_del(&c->accepting);
	l->busy = true;
	l->accepted(l->arg, &c->base);
	l->busy = false;
	if (l->closing)
		listener_free(l);
}

static int listener_bind(struct vb_net *net, struct vb_listener *l, struct sockaddr_storage *sa)
{
	int on = 1;

	if (rdma_create_id(net->channel, &l->link.id, &l->link, RDMA_PS_TCP))
		return -errno;
	/* After a listener's death its connections may hold on to the port for a while. */
	if (rdma_set_option(l->link.id, RDMA_OPTION_ID, RDMA_OPTION_ID_REUSEADDR, &on, sizeof(on)))
		return -errno;
	if (rdma_bind_addr(l->link.id, (struct sockaddr *)sa) || rdma_listen(l->link.id, BACKLOG))
		return -errno;
	return net_place_name("verbs", rdma_get_local_addr(l->link.id), l->addr);
}

int vb_listen(struct net *base, const char *addr, void (*accepted)(void *, struct net_conn *), void *arg,
	      struct net_listener **out)
{
	struct vb_net *net = vb_net(base);
	struct sockaddr_storage sa;
	struct vb_listener *l;
	int err = vb_address_parse(net, addr, true, &sa);

	if (err)
		return err;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->link.what = VB_IS_LISTENER;
	l->link.net = net;
	l->base.net = base;
	l->accepted = accepted;
	l->arg = arg;
	list_init(&l->accepting);
	err = listener_bind(net, l, &sa);
	/* One that belongs to no RDMA device would be heard of by nobody. */
	if (!err && l->link.id->verbs && !vb_device_same(net, l->link.id))
		err = -EINVAL;
	if (err) {
		listener_free(l);
		return err;
	}
	*out = &l->base;
	return 0;
}

const char *vb_listener_addr(const struct net_listener *l)
{
	return container_of(l, struct vb_listener, base)->addr;
}

void vb_listener_close(struct net_listener *listener)
{
	struct vb_listener *l = vb_listener(listener);

	while (!list_empty(&l->accepting)) {
		struct vb_conn *c = container_of(l->accepting.next, struct vb_conn, accepting);

		c->listener = NULL;
		vb_conn_close(&c->base);
	}
	if (l->busy)
		l->closing = true;
	else
		listener_free(l);
}
