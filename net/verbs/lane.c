/*
 * Lanes, initiator's side. Transfers of a lane are posted in order. A transfer that the owner's device refuses, or that
 * names local memory in a wrong way, puts the queue pair into error, and the first completion that tells so names it. When
 * nobody is to blame the wire was lost. In both cases a new connection is made and the rest is posted again.
 *
 * While nobody answers, that is tried again and again for VB_REPLAY_NS since anything was done last; then the connection is
 * given up, as when the owner says that it knows nothing of it (any more).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "net/verbs/verbs.h"

enum tag { TAG_CQ = 1, TAG_EVENTS };

struct vb_lane *vb_lane_get(struct vb_data *d, const uint64_t token[2])
{
	struct vb_lane *l;

	for (struct list *p = d->lanes.next; p != &d->lanes; p = p->next) {
		l = container_of(p, struct vb_lane, of_data);
		if (l->token[0] == token[0] && l->token[1] == token[1])
			return l;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->link.what = VB_IS_LANE;
	l->link.net = vb_net(d->base.net);
	l->data = d;
	l->poll_fd = -1;
	memcpy(l->token, token, sizeof(l->token));
	list_init(&l->waiting);
	list_init(&l->queue);
	list_init(&l->flight);
	list_add_tail(&d->lanes, &l->of_data);
	return l;
}

/* Down with the queue pair: nothing touches the transfers' memory any more. */
static void wire_close(struct vb_lane *l)
{
	list_del(&l->waiting);
	vb_lane_unwatch(l);
	vb_link_close(&l->link);
	if (l->poll_fd >= 0)
		close(l->poll_fd);
	l->poll_fd = -1;
	vb_cq_close(&l->cq);
	vb_channel_close(&l->channel);
	l->state = VB_LANE_CLOSED;
	l->slots = 0;
}

void vb_lane_fail(struct vb_lane *l, int err)
{
	struct list *lists[] = { &l->flight, &l->queue };

	wire_close(l);
	l->lost_ns = 0;
	for (unsigned i = 0; i < 2; i++) {
		while (!list_empty(lists[i])) {
			struct vb_xfer *x = container_of(lists[i]->next, struct vb_xfer, base.link);

			list_del(&x->base.link);
			vb_xfer_done(l->data, x, err);
		}
	}
}

void vb_lane_close(struct vb_lane *l)
{
	vb_lane_fail(l, -EPIPE);
	list_del(&l->of_data);
	free(l);
}

static int poll_add(struct vb_lane *l, int fd, enum tag tag)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = tag };

	return epoll_ctl(l->poll_fd, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

/* What its queue pair needs: a completion queue, and one descriptor for all. */
static int wire_open(struct vb_lane *l)
{
	struct vb_net *net = l->link.net;
	int err = vb_cq_open(net, VB_LANE_SQ + 1, &l->cq);

	if (err)
		return err;
	l->poll_fd = net_fd_raise(epoll_create1(EPOLL_CLOEXEC), net->base.opt.fd_floor);
	if (l->poll_fd < 0)
		return -EMFILE;
	l->link.spec = (struct vb_spec){ .pd = net->pd, .cq = l->cq.cq, .sq = VB_LANE_SQ, .sge = net->sge_max };
	return poll_add(l, l->cq.channel->fd, TAG_CQ);
}

static int connect_active(struct vb_lane *l)
{
	struct vb_net *net = l->link.net;
	int err = wire_open(l);

	if (!err)
		err = vb_channel_open(net, &l->channel);
	if (!err)
		err = poll_add(l, l->channel->fd, TAG_EVENTS);
	if (err)
		return err;
	l->link.hello = (struct vb_hello){ .magic = VB_MAGIC, .version = VB_VERSION, .kind = VB_HELLO_LANE };
	memcpy(l->link.hello.token, l->token, sizeof(l->token));
	return vb_link_connect(&l->link, l->channel, &l->data->peer);
}

static int ask_passive(struct vb_lane *l)
{
	struct vb_lane_body b;

	if (!l->data->conn)
		return -EPIPE;
	if (net_random(l->secret, 2))
		return -EIO;
	memcpy(b.token, l->token, sizeof(b.token));
	memcpy(b.secret, l->secret, sizeof(b.secret));
	list_add_tail(&l->link.net->waiting, &l->waiting);
	vb_send_control(l->data->conn, VB_LANE, &b, sizeof(b));
	return 0;
}

static void lane_pause(struct vb_lane *l)
{
	uint64_t now = clock_ns();

	wire_close(l);
	if (!l->lost_ns)
		l->lost_ns = now;
	if (now - l->lost_ns >= VB_REPLAY_NS) {
		log_error("a data connection was lost and nobody answers: given up");
		net_life_kill(l->data->xfers.life);
		vb_lane_fail(l, -EPIPE);
		return;
	}
	l->state = VB_LANE_PAUSED;
	l->next_ns = now + VB_PAUSE_NS;
	vb_lane_watch(l);
}

static void lane_open(struct vb_lane *l)
{
	int err;

	l->state = VB_LANE_CONNECTING;
	l->next_ns = clock_ns() + VB_ATTEMPT_NS;
	err = l->data->active ? connect_active(l) : ask_passive(l);
	if (!err) {
		vb_lane_watch(l);
	} else if (err == -EHOSTUNREACH || err == -ENETUNREACH) {
		lane_pause(l);
	} else {
		if (err != -EPIPE)
			log_error("no data connection: %s", strerror(-err));
		vb_lane_fail(l, err == -EPIPE || err == -ENODEV ? -EPIPE : -EIO);
	}
}

/* To the front of the queue, in order, as if never posted. */
static void flight_back(struct vb_lane *l)
{
	while (!list_empty(&l->flight)) {
		struct vb_xfer *x = container_of(l->flight.prev, struct vb_xfer, base.link);

		list_del(&x->base.link);
		list_add_tail(l->queue.next, &x->base.link);
	}
}

static void lane_lost(struct vb_lane *l)
{
	wire_close(l);
	flight_back(l);
	if (list_empty(&l->queue))
		return;
	if (net_life_dead(l->data->xfers.life) || vb_gone(l->link.net)) {
		vb_lane_fail(l, -EPIPE);
	} else if (l->lost_ns) {
		lane_pause(l); /* again, and nothing was done in between */
	} else {
		l->lost_ns = clock_ns();
		lane_open(l);
	}
}

static void lane_post(struct vb_lane *l)
{
	while (!list_empty(&l->queue)) {
		struct vb_xfer *x = container_of(l->queue.next, struct vb_xfer, base.link);
		int err = net_grant_allows(x->base.grant, x->base.write) ? vb_post(l, x) : -EACCES;

		if (err == -EAGAIN)
			return;
		if (err == -EIO) {
			lane_lost(l);
			return;
		}
		list_del(&x->base.link);
		if (err)
			vb_xfer_done(l->data, x, err == -EACCES ? err : -EIO);
		else
			list_add_tail(&l->flight, &x->base.link);
	}
}

static void lane_up(struct vb_lane *l)
{
	l->state = VB_LANE_UP;
	vb_lane_watch(l);
	lane_post(l);
}

/* Not let in, or nobody there: the peer has closed the connection or is gone. */
static void lane_refused(struct vb_lane *l)
{
	net_life_kill(l->data->xfers.life);
	vb_lane_fail(l, -EPIPE);
}

/*
 * What a status says of the transfer itself; 0: it is not to blame. LOC_QP_OP_ERR is what rxe says when its interface has
 * no route, so it is taken for a wire that is lost.
 */
static int blame(enum ibv_wc_status s)
{
	switch (s) {
	case IBV_WC_REM_ACCESS_ERR:
	case IBV_WC_REM_INV_REQ_ERR:
		return -EACCES;
	case IBV_WC_REM_OP_ERR:
	case IBV_WC_LOC_PROT_ERR:
	case IBV_WC_LOC_LEN_ERR:
	case IBV_WC_LOC_ACCESS_ERR:
		return -EIO;
	default:
		return 0;
	}
}

static void lane_failed(struct vb_lane *l, struct vb_xfer *x, enum ibv_wc_status status)
{
	int err = blame(status);

	if (err) {
		list_del(&x->base.link);
		vb_xfer_done(l->data, x, err);
		l->lost_ns = 0; /* the owner lives */
	} else if (!l->lost_ns && !net_life_dead(l->data->xfers.life)) {
		log_warn("a data connection is lost (%s): connecting anew", ibv_wc_status_str(status));
	}
	lane_lost(l);
}

static void lane_take(struct vb_lane *l)
{
	struct ibv_wc wc;

	while (l->state == VB_LANE_UP && vb_cq_take(&l->cq, &wc)) {
		struct vb_xfer *x = (void *)(uintptr_t)wc.wr_id;

		if (wc.status != IBV_WC_SUCCESS) {
			lane_failed(l, x, wc.status);
			return;
		}
		l->lost_ns = 0;
		l->slots -= x->slots;
		list_del(&x->base.link);
		vb_xfer_done(l->data, x, 0);
	}
}

void vb_lane_event(struct vb_lane *l, const struct vb_event *e)
{
	int err;

	if (l->state == VB_LANE_CONNECTING) {
		err = vb_link_step(&l->link, e);
		if (!err)
			lane_up(l);
		else if (err == -ECONNREFUSED)
			lane_refused(l);
		else if (err != -EAGAIN)
			lane_pause(l);
	} else if (l->state == VB_LANE_UP && e->type == RDMA_CM_EVENT_DISCONNECTED) {
		/* Why may be in the queue. */
		lane_take(l);
		if (l->state == VB_LANE_UP)
			lane_lost(l);
	} else if (e->type == RDMA_CM_EVENT_DEVICE_REMOVAL) {
		vb_device_gone(l->link.net, "it was removed");
		vb_lane_fail(l, -EPIPE);
	}
}

void vb_lane_woken(struct vb_lane *l)
{
	struct epoll_event e[2];
	struct vb_event event;
	int n = l->poll_fd >= 0 ? epoll_wait(l->poll_fd, e, 2, 0) : 0;
	bool events = false;

	for (int i = 0; i < n; i++) {
		if (e[i].data.u32 == TAG_CQ)
			vb_cq_drain(&l->cq);
		else
			events = true;
	}
	/* Handling one may close the channel, or open another. */
	while (events && l->channel && vb_event_take(l->channel, &event))
		vb_lane_event(l, &event);
}

void vb_lane_run(struct vb_lane *l)
{
	if (l->state == VB_LANE_CONNECTING && clock_ns() >= l->next_ns)
		lane_pause(l);
	if (l->state == VB_LANE_PAUSED && clock_ns() >= l->next_ns)
		lane_open(l);
	lane_take(l);
	if (l->state == VB_LANE_UP && !list_empty(&l->queue))
		lane_post(l);
}

void vb_lane_submit(struct vb_lane *l, struct vb_xfer *x)
{
	list_add_tail(&l->queue, &x->base.link);
	if (l->state == VB_LANE_CLOSED)
		lane_open(l);
	else if (l->state == VB_LANE_UP && l->queue.next == &x->base.link)
		lane_post(l);
}

uint64_t vb_lane_due(const struct vb_lane *l)
{
	return l->state == VB_LANE_CONNECTING || l->state == VB_LANE_PAUSED ? l->next_ns : UINT64_MAX;
}

struct vb_lane *vb_lane_waiting(struct vb_net *net, const uint64_t secret[2])
{
	for (struct list *p = net->waiting.next; p != &net->waiting; p = p->next) {
		struct vb_lane *l = container_of(p, struct vb_lane, waiting);

		if (l->secret[0] == secret[0] && l->secret[1] == secret[1])
			return l;
	}
	return NULL;
}

void vb_lane_accept(struct vb_lane *l, const struct vb_event *e)
{
	int err = wire_open(l);

	list_del(&l->waiting);
	if (err) {
		rdma_reject(e->id, NULL, 0);
		rdma_destroy_id(e->id);
	} else {
		err = vb_link_accept(&l->link, e);
	}
	if (err)
		vb_lane_fail(l, -EIO);
	else
		vb_lane_watch(l);
}
