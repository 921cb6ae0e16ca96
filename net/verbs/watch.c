/*
 * A net_data on the loop (net_data_set_events): the descriptors of its lanes are watched, and whoever uses it is told of
 * completions. A completion queue tells only those who armed it before they slept, so each poll arms it; what is there
 * already is looked at by a timer of the same turn.
 */
#include <sys/epoll.h>
#include "net/verbs/verbs.h"

static struct loop *data_loop(const struct vb_data *d)
{
	return d->base.net->opt.loop;
}

static void look_again(struct vb_data *d)
{
	loop_timer_set(data_loop(d), &d->again, loop_now(data_loop(d)));
}

void vb_data_settle(struct vb_data *d)
{
	uint64_t due = UINT64_MAX;

	if (!d->watched || !list_empty(&d->xfers.done))
		return;
	loop_timer_del(data_loop(d), &d->again);
	for (struct list *i = d->lanes.next; d->xfers.pending && i != &d->lanes; i = i->next) {
		struct vb_lane *l = container_of(i, struct vb_lane, of_data);

		if (l->state == VB_LANE_UP && !vb_cq_may_wait(&l->cq)) {
			look_again(d);
			return;
		}
		if (vb_lane_due(l) < due)
			due = vb_lane_due(l);
	}
	if (due != UINT64_MAX)
		loop_timer_set(data_loop(d), &d->again, due);
}

void vb_data_tell(struct vb_data *d)
{
	if (d->watched)
		look_again(d);
}

static void data_look(void *arg)
{
	struct vb_data *d = arg;

	vb_data_run(d);
	if (list_empty(&d->xfers.done))
		vb_data_settle(d);
	else
		d->base.ready(d->base.ready_arg);
}

static void lane_event(void *arg, uint32_t events)
{
	struct vb_lane *l = arg;

	(void)events;
	vb_lane_woken(l);
	data_look(l->data);
}

int vb_data_start(struct net_data *base)
{
	struct vb_data *d = container_of(base, struct vb_data, base);

	d->again.fn = data_look;
	d->again.arg = d;
	d->watched = true;
	for (struct list *l = d->lanes.next; l != &d->lanes; l = l->next)
		vb_lane_watch(container_of(l, struct vb_lane, of_data));
	look_again(d);
	return 0;
}

void vb_lane_unwatch(struct vb_lane *l)
{
	if (l->watched_fd)
		loop_fd_del(data_loop(l->data), l->watched_fd);
	l->watched_fd = 0;
}

void vb_lane_watch(struct vb_lane *l)
{
	int fd = l->poll_fd >= 0 ? l->poll_fd : 0;

	if (!l->data->watched)
		return;
	look_again(l->data); /* what is due may have changed */
	if (fd == l->watched_fd)
		return;
	vb_lane_unwatch(l);
	if (fd && loop_fd_add(data_loop(l->data), fd, EPOLLIN, lane_event, l)) {
		net_life_kill(
			l->data->xfers.life); /* without it nobody would ever be told: the connection is of no use */
		return;
	}
	l->watched_fd = fd;
}
