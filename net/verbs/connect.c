/* Connecting a message connection: waiting for it, or on the loop. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "ashlar/base/clock.h"
#include "net/verbs/verbs.h"

/* Ask for the address; all else follows from the events of the connection's channel. */
static int connect_start(struct vb_net *net, const struct net_peer *whom, const char *addr, struct vb_conn **out)
{
	struct sockaddr_storage sa;
	struct vb_conn *c;
	int err = vb_address_parse(net, addr, false, &sa);

	if (!err)
		err = vb_conn_new(net, true, &c);
	if (err)
		return err;
	c->peer = sa;
	err = vb_proof_begin(c, whom);
	if (!err)
		err = vb_link_connect(&c->link, c->channel, &sa);
	if (err)
		vb_conn_close(&c->base);
	else
		*out = c;
	return err;
}

/* One who hangs up, or cannot be reached, is nobody for the caller. */
static int outcome(int err)
{
	return err == -EPIPE || err == -EHOSTUNREACH || err == -ENETUNREACH ? -ECONNREFUSED : err;
}

/* What has come so far: 0 connected, -EAGAIN, or why not. */
static int connect_look(struct vb_conn *c)
{
	struct vb_event e;
	int err = -EAGAIN;

	while (err == -EAGAIN && vb_event_take(c->channel, &e))
		err = vb_conn_event(c, &e);
	return err;
}

int vb_connect(struct net *base, const char *addr, uint32_t timeout_ms, struct net_conn **out)
{
	uint64_t deadline = clock_ns() + timeout_ms * NS_PER_MS;
	struct vb_conn *c;
	int err = connect_start(vb_net(base), NULL, addr, &c);

	if (err)
		return outcome(err);
	while ((err = connect_look(c)) == -EAGAIN) {
		struct pollfd p = { .fd = c->channel->fd, .events = POLLIN };

		err = net_poll_until(&p, 1, deadline);
		if (err && err != -EINTR)
			break;
	}
	if (err)
		vb_conn_close(&c->base);
	else
		*out = &c->base;
	return outcome(err);
}

/* ---- without holding the loop ---- */

struct connecting {
	struct net_connecting base;
	struct vb_conn *conn;
	struct loop_timer limit;
};

static struct vb_conn *connecting_free(struct connecting *k)
{
	struct loop *loop = k->conn->base.net->opt.loop;
	struct vb_conn *c = k->conn;

	loop_fd_del(loop, c->channel->fd);
	loop_timer_del(loop, &k->limit);
	free(k);
	return c;
}

static void connecting_end(struct connecting *k, int err)
{
	struct net_connecting base = k->base;
	struct vb_conn *c = connecting_free(k);

	if (err)
		vb_conn_close(&c->base);
	base.done(base.arg, outcome(err), err ? NULL : &c->base);
}

static void connecting_event(void *arg, uint32_t events)
{
	struct connecting *k = arg;
	int err = connect_look(k->conn);

	(void)events;
	if (err != -EAGAIN)
		connecting_end(k, err);
}

static void connecting_late(void *arg)
{
	connecting_end(arg, -ETIMEDOUT);
}

int vb_connect_begin(struct net *net, const struct net_peer *whom, const char *addr, uint32_t timeout_ms,
		     struct net_connecting **out)
{
	struct connecting *k = calloc(1, sizeof(*k));
	struct loop *loop = net->opt.loop;
	int err;

	if (!k)
		return -ENOMEM;
	err = connect_start(vb_net(net), whom, addr, &k->conn);
	if (err) {
		free(k);
		return outcome(err);
	}
	err = loop_fd_add(loop, k->conn->channel->fd, EPOLLIN, connecting_event, k);
	if (err) {
		vb_conn_close(&k->conn->base);
		free(k);
		return err;
	}
	k->limit = (struct loop_timer){ .fn = connecting_late, .arg = k };
	loop_timer_set(loop, &k->limit, loop_now(loop) + timeout_ms * NS_PER_MS);
	*out = &k->base;
	return 0;
}

void vb_connect_cancel(struct net_connecting *base)
{
	vb_conn_close(&connecting_free(container_of(base, struct connecting, base))->base);
}
