/*
 * Life of a message connection. With a loop: what the peer still sent is delivered before closed() is called, once; the
 * object lives until vb_conn_close, which may come from inside any callback, and for a moment longer while its last
 * frames are under way (linger.c).
 *
 * A machine that vanishes says nothing. A connection of a loop that sends nothing writes nothing to the other side now and
 * then (a write of no bytes: it needs no key, no buffer and no processor there), and so hears of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "net/verbs/verbs.h"

enum tag { TAG_CQ = 1, TAG_EVENTS, TAG_LIFE };

static int poll_add(struct vb_conn *c, int fd, enum tag tag)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = tag };

	return epoll_ctl(c->poll_fd, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

static int poll_fd_open(struct vb_conn *c)
{
	int err;

	c->poll_fd = net_fd_raise(epoll_create1(EPOLL_CLOEXEC), c->base.net->opt.fd_floor);
	if (c->poll_fd < 0)
		return -EMFILE;
	err = poll_add(c, c->cq.channel->fd, TAG_CQ);
	if (!err && c->channel)
		err = poll_add(c, c->channel->fd, TAG_EVENTS);
	return err ? err : poll_add(c, c->life->event_fd, TAG_LIFE);
}

static void conn_again(void *arg)
{
	vb_conn_run(arg);
}

static void conn_breathe(void *arg)
{
	struct vb_conn *c = arg;
	struct loop *loop = c->base.net->opt.loop;

	/* Nothing is under way that would tell. */
	if (!c->breathed && c->posted - c->done == c->unsignalled)
		vb_send_breath(c);
	c->breathed = false;
	loop_timer_set(loop, &c->breath, loop_now(loop) + VB_BREATH_NS);
}

/* The queue pair first into error, so that no buffer is with the device any more. */
static void link_end(struct vb_conn *c)
{
	struct ibv_qp_attr a = { .qp_state = IBV_QPS_ERR };

	if (c->link.qp) {
		ibv_modify_qp(c->link.qp, &a, IBV_QP_STATE);
		vb_conn_reclaim(c);
	}
	vb_link_close(&c->link);
}

void vb_conn_free(struct vb_conn *c)
{
	link_end(c);
	list_del(&c->lingering);
	if (c->poll_fd >= 0)
		close(c->poll_fd);
	if (c->cq.channel)
		vb_cq_close(&c->cq);
	vb_channel_close(&c->channel);
	vb_tx_drop(c);
	if (c->pool)
		vb_pool_leave(c->pool);
	if (c->life)
		net_life_put(c->life);
	free(c);
}

static void lists_init(struct vb_conn *c)
{
	list_init(&c->accepting);
	list_init(&c->lingering);
	list_init(&c->tx);
	list_init(&c->given);
	list_init(&c->ties);
	list_init(&c->datas);
}

int vb_conn_new(struct vb_net *net, bool active, struct vb_conn **out)
{
	struct vb_conn *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	*c = (struct vb_conn){ .base.net = &net->base, .active = active, .poll_fd = -1 };
	c->window = c->credits = VB_WINDOW;
	c->again = (struct loop_timer){ .fn = conn_again, .arg = c };
	c->breath = (struct loop_timer){ .fn = conn_breathe, .arg = c };
	lists_init(c);
	net_keys_init(&c->keys, &net->base.stats);
	c->life = net_life_new(net->base.opt.fd_floor);
	err = c->life ? vb_pool_join(net, &c->pool) : -ENOMEM;
	if (!err)
		err = vb_cq_open(net, c->pool->rx_max + VB_SQ, &c->cq);
	if (!err && active)
		err = vb_channel_open(net, &c->channel);
	if (!err)
		err = poll_fd_open(c);
	c->link.what = VB_IS_CONN;
	c->link.net = net;
	if (err) {
		vb_conn_free(c);
		return err;
	}
	c->link.spec = (struct vb_spec){
		.pd = net->pd,
		.cq = c->cq.cq,
		.srq = c->pool->srq,
		.sq = VB_SQ,
		.sge = 1,
		.inline_bytes = VB_INLINE,
	};
	vb_cq_may_wait(&c->cq); /* who only looks at the descriptor hears of the first message */
	__atomic_fetch_add(&net->conns, 1, __ATOMIC_RELAXED);
	*out = c;
	return 0;
}

int vb_conn_event(struct vb_conn *c, const struct vb_event *e)
{
	if (!c->link.up) {
		int err = vb_link_step(&c->link, e);

		return !err && c->active ? vb_proof_check(c, e) : err;
	}
	if (e->type == RDMA_CM_EVENT_DEVICE_REMOVAL)
		vb_device_gone(c->link.net, "it was removed");
	else if (e->type != RDMA_CM_EVENT_DISCONNECTED)
		return -EAGAIN;
	c->gone = true;
	return -EPIPE;
}

static void channel_run(struct vb_conn *c)
{
	struct vb_event e;

	while (vb_event_take(c->channel, &e)) {
		struct vb_link *k = e.id->context;

		if (k == &c->link)
			vb_conn_event(c, &e);
		else
			vb_end_event(container_of(k, struct vb_end, link), &e);
	}
}

void vb_conn_woken(struct vb_conn *c)
{
	struct epoll_event e[3];
	int n = epoll_wait(c->poll_fd, e, 3, 0);

	for (int i = 0; i < n; i++) {
		if (e[i].data.u32 == TAG_CQ)
			vb_cq_drain(&c->cq);
		else if (e[i].data.u32 == TAG_EVENTS)
			channel_run(c);
	}
}

static void timers_del(struct vb_conn *c)
{
	struct loop *loop = c->base.net->opt.loop;

	loop_timer_del(loop, &c->again);
	loop_timer_del(loop, &c->breath);
}

static void conn_end(struct vb_conn *c)
{
	net_life_kill(c->life);
	loop_fd_del(c->base.net->opt.loop, c->poll_fd);
	timers_del(c);
	c->started = false;
	c->ended = true;
	c->base.events->closed(c->base.arg, -EPIPE);
}

/* One round: true when there may be more to take at once. */
static bool conn_round(struct vb_conn *c)
{
	vb_conn_progress(c);
	for (unsigned i = 0; i < VB_ROUNDS_MAX && c->ready_count; i++) {
		vb_ready_deliver(c);
		if (c->closing)
			return false;
	}
	if (c->ready_count)
		return true;
	if (c->over || net_life_dead(c->life)) {
		conn_end(c);
		return false;
	}
	if (c->tx_refused && vb_tx_room(c)) {
		c->tx_refused = false;
		c->base.events->writable(c->base.arg);
		if (c->closing)
			return false;
	}
	return !vb_cq_may_wait(&c->cq);
}

static void conn_settle(struct vb_conn *c)
{
	c->busy = false;
	if (c->closing && !vb_linger(c))
		vb_conn_free(c);
}

void vb_conn_run(struct vb_conn *c)
{
	struct loop *loop = c->base.net->opt.loop;

	if (!c->started)
		return;
	c->busy = true;
	if (conn_round(c) && conn_round(c))
		loop_timer_set(loop, &c->again, loop_now(loop)); /* others first */
	conn_settle(c);
}

static void conn_event(void *arg, uint32_t events)
{
	(void)events;
	vb_conn_woken(arg);
	vb_conn_run(arg);
}

int vb_conn_start(struct net_conn *conn)
{
	struct vb_conn *c = vb_conn(conn);
	struct loop *loop = conn->net->opt.loop;
	int err = loop_fd_add(loop, c->poll_fd, EPOLLIN, conn_event, c);

	if (err)
		return err;
	c->started = true;
	loop_timer_set(loop, &c->again, loop_now(loop)); /* what came before */
	loop_timer_set(loop, &c->breath, loop_now(loop) + VB_BREATH_NS);
	return 0;
}

static void datas_detach(struct vb_conn *c)
{
	while (!list_empty(&c->datas)) {
		struct vb_data *d = container_of(c->datas.next, struct vb_data, of_conn);

		d->conn = NULL;
		list_del(&d->of_conn);
	}
}

void vb_conn_close(struct net_conn *conn)
{
	struct vb_net *net = vb_net(conn->net);
	struct vb_conn *c = vb_conn(conn);

	if (c->closing)
		return;
	net_life_kill(c->life);
	if (net->base.opt.loop) {
		if (c->started)
			loop_fd_del(net->base.opt.loop, c->poll_fd);
		timers_del(c);
	}
	c->started = false;
	list_del(&c->accepting);
	datas_detach(c);
	net_given_drop(&c->given);
	net_keys_drop(&c->keys);
	while (!list_empty(&c->ties))
		vb_tie_close(container_of(c->ties.next, struct net_tie, of_conn));
	__atomic_fetch_sub(&net->conns, 1, __ATOMIC_RELAXED);
	c->closing = true;
	if (!c->busy)
		conn_settle(c);
}

int vb_conn_fd(const struct net_conn *conn)
{
	return container_of(conn, struct vb_conn, base)->poll_fd;
}

void vb_conn_kill(struct net_conn *conn)
{
	net_life_kill(vb_conn(conn)->life);
}

bool vb_conn_dead(const struct net_conn *conn)
{
	return net_life_dead(container_of(conn, struct vb_conn, base)->life);
}

/* Something to receive, the end, or the room that was asked for. */
static bool conn_ready(struct vb_conn *c)
{
	vb_conn_progress(c);
	if (c->ready_count || c->over || net_life_dead(c->life))
		return true;
	if (!c->tx_refused || !vb_tx_room(c))
		return false;
	c->tx_refused = false;
	return true;
}

static bool conn_spin(struct vb_conn *c, uint64_t deadline_ns)
{
	uint64_t end = clock_ns() + VB_SPIN_NS;

	if (end > deadline_ns)
		end = deadline_ns;
	while (!conn_ready(c))
		if (clock_ns() >= end)
			return false;
	return true;
}

int vb_conn_wait(struct net_conn *conn, uint64_t deadline_ns)
{
	struct vb_conn *c = vb_conn(conn);

	if (conn_ready(c) || (vb_net(conn->net)->may_spin && conn_spin(c, deadline_ns)))
		return 0;
	for (;;) {
		struct pollfd p = { .fd = c->poll_fd, .events = POLLIN };
		int err = 0;

		if (vb_cq_may_wait(&c->cq)) {
			err = net_poll_until(&p, 1, deadline_ns);
			vb_conn_woken(c);
		}
		if (conn_ready(c))
			return 0;
		if (!err && clock_ns() >= deadline_ns)
			err = -ETIMEDOUT;
		if (err)
			return err;
	}
}
