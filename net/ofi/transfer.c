/*
 * One-sided transfers. The path of a miss: a free struct ofi_xfer, one call into libfabric, and then its completion
 * queue. Waiting spins a little first (docs/measuring.md), while the answer is on its way, and sleeps then.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "net/ofi/ofi.h"

#define LANES_POLLED_MAX 16u

int ofi_data_open(struct net_conn *conn, enum net_class class, struct net_data **out)
{
	struct ofi_conn *c = ofi_conn(conn);
	struct ofi_data *d = calloc(1, sizeof(*d));

	(void)class; /* each net_data has lanes of its own: classes do not wait for each other */
	if (!d)
		return -ENOMEM;
	list_init(&d->lanes);
	list_init(&d->of_conn);
	d->base.net = conn->net;
	d->room = calloc(OFI_XFERS, sizeof(*d->room));
	if (c->active)
		d->info = ofi_lib.dupinfo(c->info);
	if (!d->room || (c->active && !d->info)) {
		free(d->room);
		free(d);
		return -ENOMEM;
	}
	net_xfers_init(&d->xfers, c->life);
	for (unsigned i = 0; i < OFI_XFERS; i++)
		list_add_tail(&d->xfers.free, &d->room[i].base.link);
	if (!c->active) {
		d->conn = c;
		list_add_tail(&c->datas, &d->of_conn);
	}
	*out = &d->base;
	return 0;
}

static void lanes_fail(struct ofi_data *d)
{
	for (struct list *l = d->lanes.next; l != &d->lanes; l = l->next)
		ofi_lane_fail(container_of(l, struct ofi_lane, link), -EPIPE);
}

void ofi_data_close(struct net_data *base)
{
	struct ofi_data *d = container_of(base, struct ofi_data, base);

	if (d->watched)
		loop_timer_del(base->net->opt.loop, &d->again);
	d->watched = false;
	while (!list_empty(&d->lanes))
		ofi_lane_close(container_of(d->lanes.next, struct ofi_lane, link));
	list_del(&d->of_conn);
	if (d->info)
		ofi_lib.freeinfo(d->info);
	net_life_put(d->xfers.life);
	free(d->room);
	free(d);
}

int ofi_remote_open(struct net_conn *conn, const struct net_key *key, uint64_t bytes, struct net_remote **out)
{
	struct ofi_conn *c = ofi_conn(conn);

	return net_keyed_open(&c->keys, c->life, key, bytes, out);
}

void ofi_xfer_done(struct ofi_data *d, struct ofi_xfer *x, int err)
{
	net_xfer_done(&d->xfers, &x->base, err);
	ofi_data_tell(d);
}

static int transfer(struct net_data *data, struct net_remote *remote, uint64_t off, const struct net_sge *sge,
		    unsigned n, uint64_t cookie, bool write)
{
	struct ofi_data *d = container_of(data, struct ofi_data, base);
	struct net_keyed *r = container_of(remote, struct net_keyed, base);
	int err = net_xfers_room(&d->xfers, r);
	struct ofi_xfer *x;
	struct ofi_lane *l;

	if (err)
		return err;
	l = ofi_lane_get(d, r->grant->k.token);
	if (!l)
		return -ENOMEM;
	x = container_of(d->xfers.free.next, struct ofi_xfer, base.link);
	x->posted = x->parts = 0;
	memcpy(x->sge, sge, n * sizeof(*sge));
	net_xfer_begin(&d->xfers, &x->base, r, off, n, cookie, write);
	ofi_lane_submit(l, x);
	return 0;
}

int ofi_read(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
	     uint64_t total, uint64_t cookie)
{
	(void)total;
	return transfer(d, r, off, sge, n, cookie, false);
}

int ofi_write(struct net_data *d, struct net_remote *r, uint64_t off, const struct net_sge *sge, unsigned n,
	      uint64_t total, uint64_t cookie)
{
	(void)total;
	return transfer(d, r, off, sge, n, cookie, true);
}

void ofi_data_run(struct ofi_data *d)
{
	if (net_life_dead(d->xfers.life)) {
		lanes_fail(d);
		return;
	}
	for (struct list *l = d->lanes.next; l != &d->lanes; l = l->next)
		ofi_lane_run(container_of(l, struct ofi_lane, link));
}

int ofi_data_poll(struct net_data *base, struct net_completion *c, int n)
{
	struct ofi_data *d = container_of(base, struct ofi_data, base);
	int taken;

	if (d->xfers.pending)
		ofi_data_run(d);
	taken = net_xfers_take(&d->xfers, c, n);
	ofi_data_settle(d);
	return taken;
}

/* The descriptors to sleep on; 0: do not sleep, something is there. */
static unsigned sleep_on(struct ofi_data *d, struct pollfd *p)
{
	struct ofi_net *net = ofi_net(d->base.net);
	unsigned n = 0;

	p[n++] = (struct pollfd){ .fd = d->xfers.life->event_fd, .events = POLLIN };
	if (d->conn) {
		if (!ofi_eq_may_wait(net, &net->eq))
			return 0;
		p[n++] = (struct pollfd){ .fd = net->eq.fd, .events = POLLIN };
	}
	for (struct list *i = d->lanes.next; i != &d->lanes && n < LANES_POLLED_MAX; i = i->next) {
		struct ofi_lane *l = container_of(i, struct ofi_lane, link);

		if (l->state == OFI_LANE_CONNECTING && l->eq.eq) {
			if (!ofi_eq_may_wait(net, &l->eq))
				return 0;
			p[n++] = (struct pollfd){ .fd = l->eq.fd, .events = POLLIN };
		} else if (l->state == OFI_LANE_UP && (l->in_flight || !list_empty(&l->queue))) {
			if (!ofi_cq_may_wait(net, &l->cq))
				return 0;
			p[n++] = (struct pollfd){ .fd = l->cq.fd, .events = POLLIN };
		}
	}
	return n;
}

/* Look again and again for a little while; true when something came. */
static bool spin(struct ofi_data *d)
{
	uint64_t end = clock_ns() + OFI_SPIN_NS;

	do
		ofi_data_run(d);
	while (list_empty(&d->xfers.done) && clock_ns() < end);
	return !list_empty(&d->xfers.done);
}

int ofi_data_wait(struct net_data *base, uint64_t deadline_ns)
{
	struct ofi_data *d = container_of(base, struct ofi_data, base);
	bool may_spin = ofi_net(base->net)->may_spin;
	struct pollfd p[LANES_POLLED_MAX];
	unsigned n;
	int err;

	for (;;) {
		if (d->conn)
			ofi_events_lanes(ofi_net(base->net));
		ofi_data_run(d);
		if (!list_empty(&d->xfers.done))
			return 0;
		if (net_life_dead(d->xfers.life))
			return -EPIPE;
		if (!d->xfers.pending)
			return -ETIMEDOUT; /* nothing is under way, so nothing will come */
		if (may_spin && spin(d))
			return 0;
		may_spin = false;
		if (clock_ns() >= deadline_ns)
			return -ETIMEDOUT;
		n = sleep_on(d, p);
		if (!n)
			continue;
		err = net_poll_until(p, n, deadline_ns);
		if (err && err != -EINTR)
			return err;
	}
}
