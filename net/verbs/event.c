/*
 * Connection events of a net with a loop: requests to listeners, and begin and end of what was accepted, on one channel;
 * and what the device itself has to tell.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include "ashlar/base/log.h"
#include "net/verbs/verbs.h"

static void conn_event(struct vb_conn *c, const struct vb_event *e)
{
	int err = vb_conn_event(c, e);

	if (!err && c->listener)
		vb_accepted(c);
	else if (err && err != -EAGAIN && c->listener)
		vb_conn_close(&c->base);
	else if (err && err != -EAGAIN)
		vb_conn_run(c);
}

static void event_handle(struct vb_net *net, const struct vb_event *e)
{
	struct vb_link *k;

	if (e->type == RDMA_CM_EVENT_CONNECT_REQUEST) {
		k = e->listen->context;
		vb_request(net, container_of(k, struct vb_listener, link), e);
		return;
	}
	k = e->id->context;
	switch (k->what) {
	case VB_IS_CONN:
		conn_event(container_of(k, struct vb_conn, link), e);
		break;
	case VB_IS_END:
		vb_end_event(container_of(k, struct vb_end, link), e);
		break;
	case VB_IS_LANE:
		vb_lane_event(container_of(k, struct vb_lane, link), e);
		break;
	case VB_IS_LISTENER:
		if (e->type != RDMA_CM_EVENT_DEVICE_REMOVAL)
			break;
		vb_device_gone(net, "it was removed");
		vb_link_close(k); /* the kernel waits for that; the listener hears nothing more */
		break;
	}
}

static bool of_a_lane(const struct vb_event *e)
{
	struct vb_hello h;

	memcpy(&h, e->private_data, sizeof(h));
	if (e->type == RDMA_CM_EVENT_CONNECT_REQUEST)
		return e->private_len >= sizeof(h) && h.magic == VB_MAGIC && h.kind == VB_HELLO_BACK;
	return ((const struct vb_link *)e->id->context)->what == VB_IS_LANE;
}

static void event_drop(const struct vb_event *e)
{
	if (e->type != RDMA_CM_EVENT_CONNECT_REQUEST)
		return;
	rdma_reject(e->id, NULL, 0);
	rdma_destroy_id(e->id);
}

static void event_defer(struct vb_net *net, const struct vb_event *e)
{
	struct vb_event *copy = malloc(sizeof(*copy));

	if (!copy) {
		log_error("out of memory: an event of a connection is lost");
		event_drop(e);
		return;
	}
	*copy = *e;
	list_add_tail(&net->deferred, &copy->link);
	loop_timer_set(net->base.opt.loop, &net->events_timer, loop_now(net->base.opt.loop));
}

void vb_events_lanes(struct vb_net *net)
{
	struct vb_event e;

	while (vb_event_take(net->channel, &e)) {
		if (of_a_lane(&e))
			event_handle(net, &e);
		else
			event_defer(net, &e);
	}
}

void vb_events_forget(struct vb_net *net, const struct rdma_cm_id *id)
{
	/* What has a channel of its own may belong to another thread. */
	if (id->channel != net->channel)
		return;
	for (struct list *l = net->deferred.next, *next; l != &net->deferred; l = next) {
		struct vb_event *e = container_of(l, struct vb_event, link);

		next = l->next;
		if (e->id != id && e->listen != id)
			continue;
		list_del(&e->link);
		if (e->id != id)
			event_drop(e);
		free(e);
	}
}

static void events_run(struct vb_net *net)
{
	struct vb_event e;

	while (!list_empty(&net->deferred)) {
		struct vb_event *d = container_of(net->deferred.next, struct vb_event, link);

		e = *d;
		list_del(&d->link);
		free(d);
		event_handle(net, &e);
	}
	for (unsigned i = 0; i < VB_ROUNDS_MAX && vb_event_take(net->channel, &e); i++)
		event_handle(net, &e);
}

static void events_event(void *arg, uint32_t events)
{
	(void)events;
	events_run(arg);
}

static void events_again(void *arg)
{
	events_run(arg);
}

/* ---- of the device ---- */

static void port_told(struct vb_net *net, int port, bool up)
{
	if (net->port_logged == !up)
		return;
	net->port_logged = !up;
	log_warn("verbs: port %d of RDMA device %s is %s", port, ibv_get_device_name(net->ctx->device),
		 up ? "up again" : "down: transfers wait for it, within their time-outs");
}

static void qp_told(struct vb_net *net, const struct ibv_async_event *a)
{
	struct vb_link *k = a->element.qp->qp_context;

	if (k->what == VB_IS_END)
		vb_end_refusal(container_of(k, struct vb_end, link));
	else
		log_warn("verbs: %s on a queue pair of RDMA device %s", ibv_event_type_str(a->event_type),
			 ibv_get_device_name(net->ctx->device));
}

static void device_told(struct vb_net *net, const struct ibv_async_event *a)
{
	switch (a->event_type) {
	case IBV_EVENT_QP_FATAL:
	case IBV_EVENT_QP_REQ_ERR:
	case IBV_EVENT_QP_ACCESS_ERR:
		qp_told(net, a);
		break;
	case IBV_EVENT_SRQ_LIMIT_REACHED:
		if (net->pool)
			vb_pool_low(net->pool);
		break;
	case IBV_EVENT_PORT_ERR:
		port_told(net, a->element.port_num, false);
		break;
	case IBV_EVENT_PORT_ACTIVE:
		port_told(net, a->element.port_num, true);
		break;
	case IBV_EVENT_DEVICE_FATAL:
		vb_device_gone(net, "it failed");
		break;
	case IBV_EVENT_CQ_ERR:
	case IBV_EVENT_SRQ_ERR:
		log_error("verbs: %s on RDMA device %s", ibv_event_type_str(a->event_type),
			  ibv_get_device_name(net->ctx->device));
		break;
	default:
		break; /* what connections hear of by themselves */
	}
}

static void device_event(void *arg, uint32_t events)
{
	struct vb_net *net = arg;
	struct ibv_async_event a;

	(void)events;
	while (ibv_get_async_event(net->ctx, &a) == 0) {
		device_told(net, &a);
		ibv_ack_async_event(&a);
	}
}

int vb_events_open(struct vb_net *net)
{
	int err = vb_channel_open(net, &net->channel);

	if (err)
		return err;
	net->events_timer.fn = events_again;
	net->events_timer.arg = net;
	err = loop_fd_add(net->base.opt.loop, net->channel->fd, EPOLLIN, events_event, net);
	if (!err) {
		err = loop_fd_add(net->base.opt.loop, net->ctx->async_fd, EPOLLIN, device_event, net);
		if (err)
			loop_fd_del(net->base.opt.loop, net->channel->fd);
	}
	if (err)
		vb_channel_close(&net->channel);
	return err;
}

void vb_events_close(struct vb_net *net)
{
	loop_timer_del(net->base.opt.loop, &net->events_timer);
	loop_fd_del(net->base.opt.loop, net->channel->fd);
	loop_fd_del(net->base.opt.loop, net->ctx->async_fd);
	vb_channel_close(&net->channel);
}
