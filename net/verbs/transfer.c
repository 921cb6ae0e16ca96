/*
 * One-sided transfers. The path of a miss: a free struct vb_xfer, one work request, and then its completion queue. Waiting
 * looks a little first, while the answer is on its way, then arms the queue and sleeps.
 */
#include <errno.h>
#include <stdlib.h>
#include "ashlar/base/clock.h"
#include "net/verbs/verbs.h"

#define LANES_POLLED_MAX 16u

int vb_data_open(struct net_conn *conn, enum net_class class, struct net_data **out)
{
	struct vb_conn *c = vb_conn(conn);
	struct vb_data *d = calloc(1, sizeof(*d));

	(void)class; /* each net_data has lanes of its own: classes do not wait for each other */
	if (!d)
		return -ENOMEM;
	list_init(&d->lanes);
	list_init(&d->of_conn);
	d->base.net = conn->net;
	d->room = calloc(VB_XFERS, sizeof(*d->room));
	if (!d->room) {
		free(d);
		return -ENOMEM;
	}
	net_xfers_init(&d->xfers, c->life);
	for (unsigned i = 0; i < VB_XFERS; i++)
		list_add_tail(&d->xfers.free, &d->room[i].base.link);
	d->active = c->active;
	d->peer = c->peer;
	if (!c->active) {
		d->conn = c;
		list_add_tail(&c->datas, &d->of_conn);
	}
	*out = &d->base;
	return 0;
}

static void lanes_fail(struct vb_data *d)
{
	for (struct list *l = d->lanes.next; l != &d->lanes; l = l->next)
		vb_lane_fail(container_of(l, struct vb_lane, of_data), -EPIPE);
}

void vb_data_close(struct net_data *base)
{
	struct vb_data *d = container_of(base, struct vb_data, base);

	if (d->watched)
		loop_timer_del(base->net->opt.loop, &d->again);
	d->watched = false;
	while (!list_empty(&d->lanes))
		vb_lane_close(container_of(d->lanes.next, struct vb_lane, of_data));
	list_del(&d->of_conn);
	net_life_put(d->xfers.life);
	free(d->room);
	free(d);
}

int vb_remote_open(struct net_conn *conn, const struct net_key *key, uint64_t bytes, struct net_remote **out)
{
	struct vb_conn *c = vb_conn(conn);

	return net_keyed_open(&c->keys, c->life, key, bytes, out);
}

void vb_xfer_done(struct vb_data *d, struct vb_xfer *x, int err)
{
	net_xfer_done(&d->xfers, &x->base, err);
	vb_data_tell(d);
}

static int transfer(struct net_data *data, struct net_remote *remote, uint64_t off, const struct net_sge *sge,
		    unsigned n, uint64_t cookie, bool write)
{
	struct vb_data *d = container_of(data, struct vb_data, base);
	struct net_keyed *r = container_of(remote, struct net_keyed, base);
	int err = net_xfers_room(&d->xfers, r);
	struct vb_xfer *x;
	struct vb_lane *l;

	if (err)
		return err;
	l = vb_lane_get(d, r->grant->k.token);
	if (!l)
		return -ENOMEM;
	x = container_of(d->xfers.free.next, struct vb_xfer, base.link);
	for (unsigned i = 0; i < n; i++) {
		err = vb_mr_local(l->link.net, &sge[i], &x->sge[i]);
		if (err)
			return err;
	}
	net_xfer_begin(&d->xfers, &x->base, r, off, n, cookie, write);
	vb_lane_submit(l, x);
	return 0;
}

int vb_read(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
	    uint64_t total, uint64_t cookie)
{
	(void)total;
	return transfer(d, r, off, sge, n, cookie, false);
}

int vb_write(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
	     uint64_t total, uint64_t cookie)
{
	(void)total;
	return transfer(d, r, off, sge, n, cookie, true);
}

void vb_data_run(struct vb_data *d)
{
	if (net_life_dead(d->xfers.life)) {
		lanes_fail(d);
		return;
	}
	for (struct list *l = d->lanes.next; l != &d->lanes; l = l->next)
		vb_lane_run(container_of(l, struct vb_lane, of_data));
}

int vb_data_poll(struct net_data *base, struct net_completion *c, int n)
{
	struct vb_data *d = container_of(base, struct vb_data, base);
	int taken;

	if (d->xfers.pending)
		vb_data_run(d);
	taken = net_xfers_take(&d->xfers, c, n);
	vb_data_settle(d);
	return taken;
}

static bool lane_may_wait(struct vb_lane *l)
{
	return l->state != VB_LANE_UP || vb_cq_may_wait(&l->cq);
}

/* Sleep until something comes, or something is due. 0, -ETIMEDOUT: nothing came; -EINTR. */
static int data_sleep(struct vb_data *d, uint64_t deadline_ns)
{
	struct pollfd p[2 + LANES_POLLED_MAX];
	unsigned n = 0;

	p[n++] = (struct pollfd){ .fd = d->xfers.life->event_fd, .events = POLLIN };
	if (d->conn)
		p[n++] = (struct pollfd){ .fd = vb_net(d->base.net)->channel->fd, .events = POLLIN };
	for (struct list *i = d->lanes.next; i != &d->lanes && n < 2 + LANES_POLLED_MAX; i = i->next) {
		struct vb_lane *l = container_of(i, struct vb_lane, of_data);
		uint64_t due = vb_lane_due(l);

		if (due < deadline_ns)
			deadline_ns = due;
		if (l->poll_fd < 0)
			continue;
		if (!lane_may_wait(l))
			return 0;
		p[n++] = (struct pollfd){ .fd = l->poll_fd, .events = POLLIN };
	}
	return net_poll_until(p, n, deadline_ns);
}

static void lanes_woken(struct vb_data *d)
{
	for (struct list *l = d->lanes.next; l != &d->lanes; l = l->next)
		vb_lane_woken(container_of(l, struct vb_lane, of_data));
}

/* Look again and again for a little while; true when something came. */
static bool spin(struct vb_data *d, uint64_t deadline_ns)
{
	uint64_t end = clock_ns() + VB_SPIN_NS;

	if (end > deadline_ns)
		end = deadline_ns;
	do
		vb_data_run(d);
	while (list_empty(&d->xfers.done) && clock_ns() < end);
	return !list_empty(&d->xfers.done);
}

int vb_data_wait(struct net_data *base, uint64_t deadline_ns)
{
	struct vb_data *d = container_of(base, struct vb_data, base);
	bool may_spin = vb_net(base->net)->may_spin;
	int err;

	for (;;) {
		if (d->conn)
			vb_events_lanes(vb_net(base->net));
		vb_data_run(d);
		if (!list_empty(&d->xfers.done))
			return 0;
		if (net_life_dead(d->xfers.life))
			return -EPIPE;
		if (!d->xfers.pending)
			return -ETIMEDOUT; /* nothing is under way, so nothing will come */
		if (may_spin && spin(d, deadline_ns))
			return 0;
		may_spin = false;
		if (clock_ns() >= deadline_ns)
			return -ETIMEDOUT;
		err = data_sleep(d, deadline_ns);
		if (!err)
			lanes_woken(d);
		else if (err != -EINTR && err != -ETIMEDOUT)
			return err;
	}
}
