/*
 * Life of a message connection. With a loop: what the peer still sent is delivered before closed() is called, once; the
 * object lives until ofi_conn_close, which may come from inside any callback. Whoever marks the connection dead wakes
 * its owner and all who wait in transfers by an event descriptor that stays readable.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "net/ofi/ofi.h"

static int poll_fd_open(struct ofi_conn *c)
{
	struct epoll_event e = { .events = EPOLLIN };

	c->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->poll_fd < 0 || epoll_ctl(c->poll_fd, EPOLL_CTL_ADD, c->cq.fd, &e) < 0 ||
	    epoll_ctl(c->poll_fd, EPOLL_CTL_ADD, c->life->event_fd, &e) < 0)
		return -errno;
	return 0;
}

static void conn_again(void *arg)
{
	ofi_conn_run(arg);
}

static void conn_free(struct ofi_conn *c)
{
	if (c->ep) {
		ofi_events_forget(ofi_net(c->base.net), &c->ep->fid);
		ofi_fid_close(&c->ep->fid);
	}
	if (c->poll_fd >= 0)
		close(c->poll_fd);
	ofi_cq_close(&c->cq);
	ofi_eq_close(&c->eq);
	ofi_tx_drop(c);
	if (c->info)
		ofi_lib.freeinfo(c->info);
	if (c->life)
		net_life_put(c->life);
	free(c->rx);
	free(c);
}

int ofi_conn_new(struct ofi_net *net, struct fi_info *info, bool active, struct ofi_conn **out)
{
	struct ofi_conn *c = calloc(1, sizeof(*c));
	int err = 0;

	if (!c)
		return -ENOMEM;
	*c = (struct ofi_conn){ .context.what = OFI_IS_CONN, .base.net = &net->base, .active = active, .poll_fd = -1 };
	c->window = c->credits = OFI_WINDOW;
	c->again.fn = conn_again;
	c->again.arg = c;
	list_init(&c->accepting);
	list_init(&c->tx);
	list_init(&c->tx_flight);
	net_keys_init(&c->keys, &net->base.stats);
	list_init(&c->given);
	list_init(&c->ties);
	list_init(&c->datas);
	c->life = net_life_new(0);
	if (!c->life)
		err = -ENOMEM;
	if (!err)
		err = ofi_cq_open(net, net->domain, &c->cq);
	if (!err)
		err = poll_fd_open(c);
	if (!err)
		err = active ? ofi_eq_open(net, &c->eq) : 0;
	if (!err)
		err = ofi_ep_open(net->domain, info, active ? c->eq.eq : net->eq.eq, c->cq.cq, c, &c->ep);
	if (!err)
		err = ofi_rx_post_all(c);
	if (err) {
		conn_free(c);
		return err;
	}
	__atomic_fetch_add(&net->conns, 1, __ATOMIC_RELAXED);
	*out = c;
	return 0;
}

static void conn_end(struct ofi_conn *c)
{
	struct loop *loop = c->base.net->opt.loop;

	net_life_kill(c->life);
	loop_fd_del(loop, c->poll_fd);
	loop_timer_del(loop, &c->again);
	c->started = false;
	c->ended = true;
	c->base.events->closed(c->base.arg, -EPIPE);
}

/* One round: true when there may be more to take at once. */
static bool conn_round(struct ofi_conn *c)
{
	ofi_conn_progress(c);
	for (unsigned i = 0; i < OFI_ROUNDS_MAX && c->ready_count; i++) {
		ofi_ready_deliver(c);
		if (c->closing)
			return false;
	}
	if (c->ready_count)
		return true;
	if (c->over || net_life_dead(c->life)) {
		conn_end(c);
		return false;
	}
	if (c->tx_refused && ofi_tx_room(c)) {
		c->tx_refused = false;
		c->base.events->writable(c->base.arg);
		if (c->closing)
			return false;
	}
	return !ofi_cq_may_wait(ofi_net(c->base.net), &c->cq);
}

void ofi_conn_run(struct ofi_conn *c)
{
	struct loop *loop = c->base.net->opt.loop;

	if (!c->started)
		return;
	c->busy = true;
	if (conn_round(c) && conn_round(c))
		loop_timer_set(loop, &c->again, loop_now(loop)); /* others first */
	c->busy = false;
	if (c->closing)
		conn_free(c);
}

static void conn_event(void *arg, uint32_t events)
{
	(void)events;
	ofi_conn_run(arg);
}

int ofi_conn_start(struct net_conn *conn)
{
	struct ofi_conn *c = ofi_conn(conn);
	struct loop *loop = conn->net->opt.loop;
	int err = loop_fd_add(loop, c->poll_fd, EPOLLIN, conn_event, c);

	if (err)
		return err;
	c->started = true;
	/* What came before may have been taken from the socket already. */
	loop_timer_set(loop, &c->again, loop_now(loop));
	return 0;
}

static void datas_detach(struct ofi_conn *c)
{
	while (!list_empty(&c->datas)) {
		struct ofi_data *d = container_of(c->datas.next, struct ofi_data, of_conn);

		d->conn = NULL;
		list_del(&d->of_conn);
	}
}

void ofi_conn_close(struct net_conn *conn)
{
	struct ofi_net *net = ofi_net(conn->net);
	struct ofi_conn *c = ofi_conn(conn);

	if (c->closing)
		return;
	net_life_kill(c->life);
	if (net->base.opt.loop) {
		if (c->started)
			loop_fd_del(net->base.opt.loop, c->poll_fd);
		loop_timer_del(net->base.opt.loop, &c->again);
	}
	c->started = false;
	list_del(&c->accepting);
	datas_detach(c);
	net_given_drop(&c->given);
	net_keys_drop(&c->keys);
	while (!list_empty(&c->ties))
		ofi_tie_close(container_of(c->ties.next, struct net_tie, of_conn));
	fi_shutdown(c->ep, 0); /* what was sent before still arrives */
	__atomic_fetch_sub(&net->conns, 1, __ATOMIC_RELAXED);
	c->closing = true;
	if (!c->busy)
		conn_free(c);
}

void ofi_conn_peer(const struct net_conn *conn, struct net_peer *peer)
{
	(void)conn;
	peer->known = false;
}

int ofi_conn_fd(const struct net_conn *conn)
{
	return container_of(conn, struct ofi_conn, base)->poll_fd;
}

void ofi_conn_kill(struct net_conn *conn)
{
	net_life_kill(ofi_conn(conn)->life);
}

bool ofi_conn_dead(const struct net_conn *conn)
{
	return net_life_dead(container_of(conn, struct ofi_conn, base)->life);
}

/* Something to receive, the end, or the room that was asked for. */
static bool conn_ready(struct ofi_conn *c)
{
	ofi_conn_progress(c);
	if (c->ready_count || c->over || net_life_dead(c->life))
		return true;
	if (!c->tx_refused || !ofi_tx_room(c))
		return false;
	c->tx_refused = false;
	return true;
}

int ofi_conn_wait(struct net_conn *conn, uint64_t deadline_ns)
{
	struct ofi_conn *c = ofi_conn(conn);

	for (;;) {
		struct pollfd p = { .fd = c->poll_fd, .events = POLLIN };
		int err;

		if (conn_ready(c))
			return 0;
		if (!ofi_cq_may_wait(ofi_net(conn->net), &c->cq) && clock_ns() < deadline_ns)
			continue;
		err = net_poll_until(&p, 1, deadline_ns);
		if (!err && clock_ns() >= deadline_ns)
			err = conn_ready(c) ? 0 : -ETIMEDOUT;
		if (err)
			return err;
	}
}
