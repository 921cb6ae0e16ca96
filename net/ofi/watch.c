/*
 * A net_data on the loop (net_data_set_events): the descriptors of its lanes are watched, and whoever uses it is told of
 * completions. libfabric's descriptors wake only those who asked before they slept (ofi_cq_may_wait), so each poll asks;
 * what is there already is looked at by a timer of the same turn.
 */
#include <sys/epoll.h>
#include "net/ofi/ofi.h"

static struct loop *data_loop(const struct ofi_data *d)
{
	return d->base.net->opt.loop;
}

static void look_again(struct ofi_data *d)
{
	loop_timer_set(data_loop(d), &d->again, loop_now(data_loop(d)));
}

static bool lane_may_wait(struct ofi_lane *l)
{
	struct ofi_net *net = ofi_net(l->data->base.net);

	if (l->state == OFI_LANE_CONNECTING && l->eq.eq)
		return ofi_eq_may_wait(net, &l->eq);
	if (l->state == OFI_LANE_UP && (l->in_flight || !list_empty(&l->queue)))
		return ofi_cq_may_wait(net, &l->cq);
	return true;
}

void ofi_data_settle(struct ofi_data *d)
{
	if (!d->watched)
		return;
	if (list_empty(&d->xfers.done))
		loop_timer_del(data_loop(d), &d->again);
	for (struct list *l = d->lanes.next; d->xfers.pending && l != &d->lanes; l = l->next)
		if (!lane_may_wait(container_of(l, struct ofi_lane, link))) {
			look_again(d);
			return;
		}
}

void ofi_data_tell(struct ofi_data *d)
{
	if (d->watched)
		look_again(d);
}

static void data_look(void *arg)
{
	struct ofi_data *d = arg;

	ofi_data_run(d);
	if (list_empty(&d->xfers.done))
		ofi_data_settle(d);
	else
		d->base.ready(d->base.ready_arg);
}

static void lane_event(void *arg, uint32_t events)
{
	(void)events;
	data_look(((struct ofi_lane *)arg)->data);
}

int ofi_data_start(struct net_data *base)
{
	struct ofi_data *d = container_of(base, struct ofi_data, base);

	d->again.fn = data_look;
	d->again.arg = d;
	d->watched = true;
	for (struct list *l = d->lanes.next; l != &d->lanes; l = l->next)
		ofi_lane_watch(container_of(l, struct ofi_lane, link));
	look_again(d);
	return 0;
}

void ofi_lane_unwatch(struct ofi_lane *l)
{
	if (l->watched_fd)
		loop_fd_del(data_loop(l->data), l->watched_fd);
	l->watched_fd = 0;
}

void ofi_lane_watch(struct ofi_lane *l)
{
	int fd = 0;

	if (!l->data->watched)
		return;
	if (l->state == OFI_LANE_CONNECTING && l->eq.eq)
		fd = l->eq.fd;
	else if (l->state == OFI_LANE_UP)
		fd = l->cq.fd;
	if (fd == l->watched_fd)
		return;
	ofi_lane_unwatch(l);
	if (fd && loop_fd_add(data_loop(l->data), fd, EPOLLIN, lane_event, l)) {
		net_life_kill(
			l->data->xfers.life); /* without it nobody would ever be told: the connection is of no use */
		return;
	}
	l->watched_fd = fd;
}
