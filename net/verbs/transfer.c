/*
 * One-sided transfers. The path of a miss: a free struct vb_xfer, one work request, and then its completion queue. Waiting
 * looks a little first, while the answer is on its way, then arms the queue and sleeps.
 *
 * Threads: a remote may be used by many threads, each with its own vb_data; of what they share, the key's rights and the
 * connection's life are atomic, the rest does not change.
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
	list_init(&d->free);
	list_init(&d->done);
	list_init(&d->of_conn);
	d->base.net = conn->net;
	d->xfers = calloc(VB_XFERS, sizeof(*d->xfers));
	if (!d->xfers) {
		free(d);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < VB_XFERS; i++)
		list_add_tail(&d->free, &d->xfers[i].link);
	d->active = c->active;
	d->peer = c->peer;
	if (!c->active) {
		d->conn = c;
		list_add_tail(&c->datas, &d->of_conn);
	}
	d->life = net_life_get(c->life);
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
	net_life_put(d->life);
	free(d->xfers);
	free(d);
}

int vb_remote_open(struct net_conn *conn, const struct net_key *key, uint64_t bytes, struct net_remote **out)
{
	struct vb_conn *c = vb_conn(conn);
	struct vb_remote *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	err = net_keys_take(&c->keys, key, bytes, &r->grant);
	if (err) {
		free(r);
		return err;
	}
	r->life = net_life_get(c->life);
	*out = &r->base;
	return 0;
}

void vb_remote_close(struct net_remote *base)
{
	struct vb_remote *r = container_of(base, struct vb_remote, base);

	net_grant_put(r->grant);
	net_life_put(r->life);
	free(r);
}

void vb_xfer_done(struct vb_data *d, struct vb_xfer *x, int err)
{
	if (!err && net_life_dead(d->life))
		err = -EPIPE;
	x->err = err;
	net_grant_put(x->grant);
	x->grant = NULL;
	d->pending--;
	list_add_tail(&d->done, &x->link);
	vb_data_tell(d);
}

static int transfer(struct net_data *data, struct net_remote *remote, uint64_t off, const struct net_sge *sge,
		    unsigned n, uint64_t cookie, bool write)
{
	struct vb_data *d = container_of(data, struct vb_data, base);
	struct vb_remote *r = container_of(remote, struct vb_remote, base);
	struct vb_xfer *x;
	struct vb_lane *l;
	int err;

	if (r->life != d->life)
		return -EINVAL;
	if (list_empty(&d->free))
		return -EAGAIN;
	if (net_life_dead(d->life))
		return -EPIPE;
	l = vb_lane_get(d, r->grant->k.token);
	if (!l)
		return -ENOMEM;
	x = container_of(d->free.next, struct vb_xfer, link);
	for (unsigned i = 0; i < n; i++) {
		err = vb_mr_local(l->link.net, &sge[i], &x->sge[i]);
		if (err)
			return err;
	}
	list_del(&x->link);
	x->grant = r->grant;
	net_grant_get(x->grant);
	x->off = off;
	x->cookie = cookie;
	x->n = n;
	x->write = write;
	d->pending++;
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
	if (net_life_dead(d->life)) {
		lanes_fail(d);
		return;
	}
	for (struct list *l = d->lanes.next; l != &d->lanes; l = l->next)
		vb_lane_run(container_of(l, struct vb_lane, of_data));
}

int vb_data_poll(struct net_data *base, struct net_completion *c, int n)
{
	struct vb_data *d = container_of(base, struct vb_data, base);
	int taken = 0;

	if (d->pending)
		vb_data_run(d);
	while (taken < n && !list_empty(&d->done)) {
		struct vb_xfer *x = container_of(d->done.next, struct vb_xfer, link);

		c[taken++] = (struct net_completion){ x->cookie, x->err };
		list_del(&x->link);
		/* The one used last is the one whose memory is warm. */
		list_add_tail(d->free.next, &x->link);
	}
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

	p[n++] = (struct pollfd){ .fd = d->life->event_fd, .events = POLLIN };
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
	while (list_empty(&d->done) && clock_ns() < end);
	return !list_empty(&d->done);
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
		if (!list_empty(&d->done))
			return 0;
		if (net_life_dead(d->life))
			return -EPIPE;
		if (!d->pending)
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
