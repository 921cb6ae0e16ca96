/*
 * The end of a connection that was closed by us: what it sent before still arrives. A last frame, VB_BYE, tells the other
 * side; when the device says that it is there, all before it is. The connection waits for that, a bounded time.
 */
#include <errno.h>
#include <sys/epoll.h>
#include "ashlar/base/clock.h"
#include "net/verbs/verbs.h"

static bool over(struct vb_conn *c)
{
	vb_conn_progress(c);
	return c->over || c->gone || c->posted == c->done;
}

static void linger_end(struct vb_conn *c)
{
	loop_timer_del(c->base.net->opt.loop, &c->again);
	loop_fd_del(c->base.net->opt.loop, c->poll_fd);
	vb_conn_free(c);
}

static void linger_look(void *arg)
{
	struct vb_conn *c = arg;

	if (over(c) || clock_ns() >= c->linger_until)
		linger_end(c);
	else if (!vb_cq_may_wait(&c->cq))
		loop_timer_set(c->base.net->opt.loop, &c->again, loop_now(c->base.net->opt.loop));
	else
		loop_timer_set(c->base.net->opt.loop, &c->again, c->linger_until);
}

static void linger_event(void *arg, uint32_t events)
{
	(void)events;
	vb_conn_woken(arg);
	linger_look(arg);
}

static void linger_wait(struct vb_conn *c)
{
	uint64_t deadline = clock_ns() + VB_LINGER_SYNC_NS;

	while (!over(c)) {
		struct pollfd p = { .fd = c->cq.channel->fd, .events = POLLIN };

		if (!vb_cq_may_wait(&c->cq))
			continue;
		if (net_poll_until(&p, 1, deadline) == -ETIMEDOUT)
			return;
		vb_cq_drain(&c->cq);
	}
}

bool vb_linger(struct vb_conn *c)
{
	struct vb_net *net = c->link.net;
	struct loop *loop = net->base.opt.loop;

	if (!c->link.up || c->over || c->gone || vb_send_bare(c, VB_BYE))
		return false;
	if (!loop) {
		linger_wait(c);
		return false;
	}
	/* The loop watches the queue alone: the life's descriptor is readable for ever. */
	epoll_ctl(c->poll_fd, EPOLL_CTL_DEL, c->life->event_fd, NULL);
	if (loop_fd_add(loop, c->poll_fd, EPOLLIN, linger_event, c))
		return false;
	c->linger_until = clock_ns() + VB_LINGER_NS;
	c->again = (struct loop_timer){ .fn = linger_look, .arg = c };
	list_add_tail(&net->lingering, &c->lingering);
	loop_timer_set(loop, &c->again, loop_now(loop));
	return true;
}

void vb_linger_end(struct vb_net *net)
{
	while (!list_empty(&net->lingering)) {
		struct vb_conn *c = container_of(net->lingering.next, struct vb_conn, lingering);

		linger_wait(c);
		linger_end(c);
	}
}
